import type { Clock, Deadline } from "../vm/bus/clock.ts";
import { type AccessSize, BUS_FAULT, type Device } from "../vm/bus/device.ts";
import type { IrqLine } from "../vm/bus/irq.ts";
import type { RegisterDef } from "../vm/bus/register.ts";
import type { EventStream } from "../vm/events.ts";
import type { CharPort } from "./char_port.ts";
import { FCR, IER, IIR, LCR, LSR, MCR, MSR, UART, UART_DLAB_REGISTERS, UART_REGISTERS } from "./uart_registers.ts";

const FIFO_BYTES = 16;
/** Bytes at which the receive interrupt comes, by FCR's trigger field. */
const TRIGGER_BYTES = [1, 4, 8, 14] as const;
/** Character times without traffic after which bytes below the trigger level are reported. */
const TIMEOUT_CHARACTERS = 4;
const DIVISOR_RESET = 12;
/** What the other end holds up: it is there, ready, and always clear to send. */
const MODEM_INPUTS = MSR.DCD | MSR.DSR | MSR.CTS;
const LSR_ERRORS = LSR.OE | LSR.PE | LSR.FE | LSR.BI;

/** What a UART needs. */
export interface UartOptions {
  readonly name?: string;
  readonly clock: Clock;
  /** Frequency of the input clock in Hz; 16 cycles make a bit at divisor 1. It times the receive timeout only. */
  readonly clockHz: number;
  readonly irq: IrqLine;
  readonly port: CharPort;
  readonly events: EventStream;
}

/**
 * 16550A UART with byte registers next to each other, over a `CharPort`.
 *
 * Sending takes no time: the transmitter is always empty, as on QEMU. A byte from the port arrives at once if there is
 * room, otherwise it waits in the port. From a port that tells what it has, nothing is taken before the guest wants it (it
 * enables the receive interrupt, or reads RBR): what was piped in early is not lost to a driver that clears its FIFOs
 * first, nor to one that reads LSR only to send while another console is to get the input. An access wider than a byte reaches the one register it starts at; only the first 8 bytes of the region answer.
 *
 * ```ts
 * import { Clock } from "../vm/bus/clock.ts";
 * import { EventStream } from "../vm/events.ts";
 *
 * const port = { write: console.log, read: () => new Uint8Array(0), onReadable() {} };
 * const irq = { set() {} };
 * const uart = new Uart({ clock: new Clock(), clockHz: 3_686_400, irq, port, events: new EventStream() });
 * uart.write(0, 1, 0x41); // port.write(Uint8Array [0x41])
 * ```
 */
export class Uart implements Device {
  readonly name: string;
  readonly #clock: Clock;
  readonly #clockHz: number;
  readonly #irq: IrqLine;
  readonly #port: CharPort;
  readonly #events: EventStream;
  readonly #received: number[] = [];
  /** RBR's last value: what a read without FIFO gives when nothing new is there. */
  #rbr = 0;
  #ier = 0;
  #fcr = 0;
  #lcr = 0;
  #mcr = 0;
  #scr = 0;
  #errors = 0;
  #modemDelta = 0;
  #divisor = DIVISOR_RESET;
  /** THRE interrupt: set by the transmitter becoming empty, cleared by reading it in IIR or writing THR. */
  #emptyPending = false;
  #timeoutPending = false;
  #timeout: Deadline | undefined;
  /** The guest wants what comes. */
  #listening = false;
  /** The port may have bytes. */
  #readable = true;

  constructor(options: UartOptions) {
    this.name = options.name ?? "uart";
    this.#clock = options.clock;
    this.#clockHz = options.clockHz;
    this.#irq = options.irq;
    this.#port = options.port;
    this.#events = options.events;
    this.#port.onReadable(() => {
      this.#readable = true;
      this.#fill();
    });
  }

  /** The table that applies now: LCR.DLAB puts the divisor latch in place of RBR, THR and IER. */
  get registers(): readonly RegisterDef[] {
    return this.#dlab ? UART_DLAB_REGISTERS : UART_REGISTERS;
  }

  read(offset: number, _size: AccessSize): number {
    switch (offset) {
      case UART.RBR:
        return this.#dlab ? this.#divisor & 0xff : this.#readData();
      case UART.IER:
        return this.#dlab ? this.#divisor >>> 8 : this.#ier;
      case UART.IIR:
        return this.#readIdentification();
      case UART.LCR:
        return this.#lcr;
      case UART.MCR:
        return this.#mcr;
      case UART.LSR:
        return this.#readLineStatus();
      case UART.MSR:
        return this.#readModemStatus();
      case UART.SCR:
        return this.#scr;
      default:
        return BUS_FAULT;
    }
  }

  write(offset: number, _size: AccessSize, value: number): number {
    const byte = value & 0xff;
    switch (offset) {
      case UART.THR:
        if (this.#dlab) this.#divisor = (this.#divisor & 0xff00) | byte;
        else this.#transmit(byte);
        return 0;
      case UART.IER:
        if (this.#dlab) this.#divisor = (this.#divisor & 0xff) | (byte << 8);
        else this.#writeEnable(byte & 0xf);
        return 0;
      case UART.FCR:
        this.#writeFifoControl(byte);
        return 0;
      case UART.LCR:
        this.#lcr = byte;
        return 0;
      case UART.MCR:
        this.#writeModemControl(byte & 0x1f);
        return 0;
      case UART.LSR:
      case UART.MSR:
        return 0;
      case UART.SCR:
        this.#scr = byte;
        return 0;
      default:
        return BUS_FAULT;
    }
  }

  reset(): void {
    this.#clearReceived();
    this.#rbr =
      this.#ier =
      this.#fcr =
      this.#lcr =
      this.#mcr =
      this.#scr =
        0;
    this.#errors = this.#modemDelta = 0;
    this.#divisor = DIVISOR_RESET;
    this.#emptyPending = false;
    this.#listening = false;
    this.#readable = true;
    this.#update();
  }

  get #dlab(): boolean {
    return (this.#lcr & LCR.DLAB) !== 0;
  }

  get #fifo(): boolean {
    return (this.#fcr & FCR.ENABLE) !== 0;
  }

  get #loop(): boolean {
    return (this.#mcr & MCR.LOOP) !== 0;
  }

  #transmit(byte: number): void {
    this.#emptyPending = false;
    if (this.#loop) {
      this.#receive(byte);
    } else {
      const bytes = Uint8Array.of(byte);
      if (this.#events.wants("console")) {
        this.#events.emit({ kind: "console", device: this.name, direction: "out", bytes });
      }
      this.#port.write(bytes);
    }
    this.#emptyPending = true;
    this.#update();
  }

  /** Takes from the port what there is room for, if that may show in an interrupt or nobody knows what it has. */
  #fill(): void {
    const ahead = this.#port.readable === undefined ? this.#listening : (this.#ier & IER.RDI) !== 0;
    if (ahead) this.#take((this.#fifo ? FIFO_BYTES : 1) - this.#received.length);
  }

  /** Takes at most `room` bytes from the port. */
  #take(room: number): void {
    if (!this.#readable || this.#loop || room <= 0) return;
    const bytes = this.#port.read(room);
    if (bytes.length === 0) {
      this.#readable = false;
      return;
    }
    if (this.#events.wants("console")) {
      this.#events.emit({ kind: "console", device: this.name, direction: "in", bytes });
    }
    for (const byte of bytes) this.#receive(byte);
    this.#update();
  }

  #listen(): void {
    this.#listening = true;
    this.#fill();
  }

  /** An overrun loses the new byte with FIFO, the old one without; either way the guest is told in LSR. */
  #receive(byte: number): void {
    const room = (this.#fifo ? FIFO_BYTES : 1) - this.#received.length;
    if (room <= 0) {
      this.#errors |= LSR.OE;
      if (!this.#fifo) this.#received[0] = byte;
    } else {
      this.#received.push(byte);
    }
    this.#startTimeout();
  }

  #readData(): number {
    this.#listen();
    if (this.#received.length === 0) this.#take(1);
    const byte = this.#received.shift();
    this.#timeoutPending = false;
    this.#startTimeout();
    this.#fill();
    this.#update();
    if (byte === undefined) return this.#fifo ? 0 : this.#rbr;
    this.#rbr = byte;
    return byte;
  }

  #readIdentification(): number {
    const id = this.#identification();
    if (id === IIR.THRI) {
      this.#emptyPending = false;
      this.#update();
    }
    return id | (this.#fifo ? IIR.FIFOS : 0);
  }

  #readLineStatus(): number {
    const readable = this.#port.readable;
    if (readable === undefined) this.#listen();
    const ready = this.#received.length > 0 || (!this.#loop && (readable ?? 0) > 0);
    const status = LSR.THRE | LSR.TEMT | this.#errors | (ready ? LSR.DR : 0);
    this.#errors = 0;
    this.#update();
    return status;
  }

  #readModemStatus(): number {
    const status = this.#modemInputs() | this.#modemDelta;
    this.#modemDelta = 0;
    this.#update();
    return status;
  }

  /** Enabling THRI with an empty transmitter interrupts at once, though the datasheet does not say so: Linux tests it. */
  #writeEnable(value: number): void {
    const changed = this.#ier ^ value;
    this.#ier = value;
    if ((changed & IER.THRI) !== 0) this.#emptyPending = (value & IER.THRI) !== 0;
    if ((value & IER.RDI) !== 0) this.#listen();
    this.#update();
  }

  #writeFifoControl(value: number): void {
    const toggled = ((value ^ this.#fcr) & FCR.ENABLE) !== 0;
    if (toggled || (value & FCR.CLEAR_RX) !== 0) this.#clearReceived();
    if (toggled || (value & FCR.CLEAR_TX) !== 0) this.#emptyPending = true;
    this.#fcr = value & (FCR.ENABLE | FCR.DMA | FCR.TRIGGER);
    this.#fill();
    this.#update();
  }

  #writeModemControl(value: number): void {
    const before = this.#modemInputs();
    this.#mcr = value;
    const now = this.#modemInputs();
    // RI tells of its trailing edge only, the others of every change; delta bits lie four below their inputs.
    this.#modemDelta |= (((before ^ now) & ~MSR.RI) | (before & ~now & MSR.RI)) >>> 4;
    this.#fill();
    this.#update();
  }

  /** In loopback the modem's inputs are our own outputs. */
  #modemInputs(): number {
    if (!this.#loop) return MODEM_INPUTS;
    return (this.#mcr & MCR.DTR ? MSR.DSR : 0) | (this.#mcr & MCR.RTS ? MSR.CTS : 0) |
      (this.#mcr & MCR.OUT1 ? MSR.RI : 0) | (this.#mcr & MCR.OUT2 ? MSR.DCD : 0);
  }

  #clearReceived(): void {
    this.#received.length = 0;
    this.#timeoutPending = false;
    this.#startTimeout();
  }

  /** The timeout counts from the last byte that came or went, only while bytes wait in the FIFO (16550D §8.11). */
  #startTimeout(): void {
    if (this.#timeout !== undefined) this.#clock.cancel(this.#timeout);
    this.#timeout = undefined;
    if (!this.#fifo || this.#received.length === 0) return;
    this.#timeout = this.#clock.after(TIMEOUT_CHARACTERS * this.#characterNanoseconds(), () => {
      this.#timeout = undefined;
      this.#timeoutPending = true;
      this.#update();
    });
  }

  /** Time of one character on the wire: start bit, data, parity, stop. */
  #characterNanoseconds(): number {
    const data = 5 + (this.#lcr & LCR.WLS);
    const bits = 1 + data + (this.#lcr & LCR.PARITY ? 1 : 0) + (this.#lcr & LCR.STOP ? 2 : 1);
    return (bits * 16 * Math.max(this.#divisor, 1) * 1e9) / this.#clockHz;
  }

  /** The interrupt with the highest priority that is enabled and pending. */
  #identification(): number {
    const ier = this.#ier;
    if ((ier & IER.RLSI) !== 0 && (this.#errors & LSR_ERRORS) !== 0) return IIR.RLSI;
    if ((ier & IER.RDI) !== 0) {
      // One priority for both (16550D §8.6); QEMU names the timeout first.
      if (this.#timeoutPending) return IIR.CTI;
      const trigger = this.#fifo ? TRIGGER_BYTES[this.#fcr >>> 6]! : 1;
      if (this.#received.length >= trigger) return IIR.RDI;
    }
    if ((ier & IER.THRI) !== 0 && this.#emptyPending) return IIR.THRI;
    if ((ier & IER.MSI) !== 0 && this.#modemDelta !== 0) return IIR.MSI;
    return IIR.NONE;
  }

  #update(): void {
    this.#irq.set(this.#identification() !== IIR.NONE);
  }
}
