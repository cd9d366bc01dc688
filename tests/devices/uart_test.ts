import { assertEquals } from "@std/assert";
import type { CharPort } from "../../devices/char_port.ts";
import { Uart } from "../../devices/uart.ts";
import { FCR, IER, IIR, LCR, LSR, MCR, MSR, UART } from "../../devices/uart_registers.ts";
import { Clock } from "../../vm/bus/clock.ts";
import { BUS_FAULT } from "../../vm/bus/device.ts";
import { findRegister } from "../../vm/bus/register.ts";
import { EventStream } from "../../vm/events.ts";

class Port implements CharPort {
  sent = "";
  waiting: number[] = [];
  #listener: () => void = () => {};
  write(bytes: Uint8Array): void {
    this.sent += String.fromCharCode(...bytes);
  }
  read(max: number): Uint8Array {
    return Uint8Array.from(this.waiting.splice(0, max));
  }
  onReadable(listener: () => void): void {
    this.#listener = listener;
  }
  type(text: string): void {
    for (const c of text) this.waiting.push(c.charCodeAt(0));
    this.#listener();
  }
}

class Setup {
  readonly clock: Clock = new Clock(100);
  readonly port: Port = new Port();
  readonly events: EventStream = new EventStream();
  irq = false;
  readonly uart: Uart = new Uart({
    clock: this.clock,
    clockHz: 3_686_400,
    irq: { set: (level) => this.irq = level },
    port: this.port,
    events: this.events,
  });
  r(offset: number): number {
    return this.uart.read(offset, 1);
  }
  w(offset: number, value: number): void {
    assertEquals(this.uart.write(offset, 1, value), 0);
  }
  /** Lets `steps` (1 ns each) go by. */
  pass(steps: number): void {
    const end = this.clock.now + steps;
    while (this.clock.next <= end) {
      this.clock.steps = this.clock.next;
      this.clock.runDue();
    }
    this.clock.steps = end;
  }
  text(n: number): string {
    return Array.from({ length: n }, () => String.fromCharCode(this.r(UART.RBR))).join("");
  }
}

Deno.test("uart: values after reset", () => {
  const s = new Setup();
  assertEquals(
    [UART.IER, UART.IIR, UART.LCR, UART.MCR, UART.LSR, UART.MSR, UART.SCR].map((o) => s.r(o)),
    [0, 1, 0, 0, 0x60, 0xb0, 0],
  );
  assertEquals(s.irq, false);
});

Deno.test("uart: sends bytes and is empty again at once", () => {
  const s = new Setup();
  const out: number[][] = [];
  s.events.on("console", (e) => e.direction === "out" && out.push([...e.bytes]));
  s.w(UART.THR, 0x48);
  s.w(UART.THR, 0xff);
  assertEquals(s.port.sent, "H\xff");
  assertEquals(out, [[0x48], [0xff]]);
  assertEquals(s.r(UART.LSR), LSR.THRE | LSR.TEMT);
});

Deno.test("uart: the divisor latch lies under RBR, THR and IER", () => {
  const s = new Setup();
  s.w(UART.IER, IER.RLSI);
  s.w(UART.LCR, LCR.DLAB | 3);
  assertEquals([s.r(UART.DLL), s.r(UART.DLM)], [12, 0]);
  s.w(UART.DLL, 0x34);
  s.w(UART.DLM, 0x12);
  assertEquals([s.r(UART.DLL), s.r(UART.DLM)], [0x34, 0x12]);
  s.w(UART.LCR, 3);
  assertEquals([s.r(UART.IER), s.r(UART.LCR), s.port.sent], [IER.RLSI, 3, ""]);
});

Deno.test("uart: the register table follows LCR.DLAB and the direction", () => {
  const s = new Setup();
  const names = () =>
    [false, true].map((write) =>
      [0, 1, 2, 3, 4, 5, 6, 7].map((o) => findRegister(s.uart.registers, o, false, write)?.def.name).join(" ")
    );
  assertEquals(names(), ["RBR IER IIR LCR MCR LSR MSR SCR", "THR IER FCR LCR MCR LSR MSR SCR"]);
  s.w(UART.LCR, LCR.DLAB);
  assertEquals(names(), ["DLL DLM IIR LCR MCR LSR MSR SCR", "DLL DLM FCR LCR MCR LSR MSR SCR"]);
});

Deno.test("uart: THRE interrupt comes on enabling, on sending, and goes on reading IIR", () => {
  const s = new Setup();
  s.w(UART.IER, IER.THRI);
  assertEquals(s.irq, true);
  assertEquals(s.r(UART.IIR), IIR.THRI);
  assertEquals([s.irq, s.r(UART.IIR)], [false, IIR.NONE]);
  s.w(UART.IER, IER.THRI);
  assertEquals(s.irq, false);
  s.w(UART.THR, 65);
  assertEquals([s.irq, s.r(UART.IIR), s.irq], [true, IIR.THRI, false]);
});

Deno.test("uart: Linux's tests for THRE and TXEN bugs find none", () => {
  const s = new Setup();
  // serial8250_do_startup: enable THRI twice, each time IIR must show it.
  s.w(UART.IER, IER.THRI);
  const first = s.r(UART.IIR);
  s.w(UART.IER, 0);
  s.w(UART.IER, IER.THRI);
  const second = s.r(UART.IIR);
  s.w(UART.IER, 0);
  assertEquals([first, second, s.r(UART.IIR)], [IIR.THRI, IIR.THRI, IIR.NONE]);
  s.w(UART.IER, IER.THRI);
  assertEquals([s.r(UART.LSR) & LSR.TEMT, s.r(UART.IIR)], [LSR.TEMT, IIR.THRI]);
});

Deno.test("uart: reading IIR while something else is reported leaves THRE pending", () => {
  const s = new Setup();
  s.w(UART.IER, IER.THRI | IER.RDI);
  s.port.type("x");
  assertEquals(s.r(UART.IIR), IIR.RDI);
  assertEquals(s.r(UART.RBR), 0x78);
  assertEquals(s.r(UART.IIR), IIR.THRI);
  assertEquals(s.r(UART.IIR), IIR.NONE);
});

Deno.test("uart: without FIFO one byte at a time, the others wait in the port", () => {
  const s = new Setup();
  s.w(UART.IER, IER.RDI);
  s.port.type("ab");
  assertEquals([s.irq, s.port.waiting.length], [true, 1]);
  assertEquals(s.r(UART.LSR), 0x61);
  assertEquals(s.r(UART.RBR), 0x61);
  assertEquals(s.irq, true);
  assertEquals(s.r(UART.RBR), 0x62);
  assertEquals([s.irq, s.r(UART.LSR), s.r(UART.RBR)], [false, 0x60, 0x62]);
});

for (const [field, bytes] of [[0x00, 1], [0x40, 4], [0x80, 8], [0xc0, 14]] as const) {
  Deno.test(`uart: FIFO trigger at ${bytes}`, () => {
    const s = new Setup();
    s.w(UART.FCR, FCR.ENABLE | field);
    s.w(UART.IER, IER.RDI);
    if (bytes > 1) {
      s.port.type("x".repeat(bytes - 1));
      assertEquals([s.irq, s.r(UART.IIR), s.r(UART.LSR) & LSR.DR], [false, IIR.FIFOS | IIR.NONE, LSR.DR]);
    }
    s.port.type("y");
    assertEquals([s.irq, s.r(UART.IIR)], [true, IIR.FIFOS | IIR.RDI]);
    s.r(UART.RBR);
    assertEquals(s.irq, false);
    assertEquals(s.text(bytes - 1), "xxxxxxxxxxxxxy".slice(-bytes).slice(1));
    assertEquals(s.r(UART.LSR) & LSR.DR, 0);
  });
}

Deno.test("uart: 16 bytes fit, more wait in the port and none is lost", () => {
  const s = new Setup();
  s.w(UART.FCR, FCR.ENABLE | 0xc0);
  s.w(UART.IER, IER.RDI);
  const text = "The quick brown fox jumps over the lazy dog";
  s.port.type(text);
  assertEquals(s.port.waiting.length, text.length - 16);
  assertEquals(s.text(text.length), text);
  assertEquals([s.r(UART.LSR), s.r(UART.RBR)], [0x60, 0]);
});

Deno.test("uart: timeout interrupt four characters after the last one", () => {
  const s = new Setup();
  s.w(UART.LCR, LCR.DLAB | 3);
  s.w(UART.DLL, 2); // 115200 baud: 10 bits take 86806 ns
  s.w(UART.DLM, 0);
  s.w(UART.LCR, 3);
  s.w(UART.FCR, FCR.ENABLE | 0x80);
  s.w(UART.IER, IER.RDI);
  const four = Math.ceil((4 * 10 * 16 * 2 * 1e9) / 3_686_400);
  s.port.type("a");
  s.pass(four - 1);
  assertEquals(s.irq, false);
  s.port.type("b");
  s.pass(four - 1);
  assertEquals(s.irq, false);
  s.pass(1);
  assertEquals([s.irq, s.r(UART.IIR)], [true, IIR.FIFOS | IIR.CTI]);
  assertEquals(s.r(UART.RBR), 0x61);
  assertEquals(s.irq, false);
  s.pass(four);
  assertEquals([s.irq, s.r(UART.IIR)], [true, IIR.FIFOS | IIR.CTI]);
  assertEquals(s.r(UART.RBR), 0x62);
  s.pass(10 * four);
  assertEquals([s.irq, s.clock.next], [false, Infinity]);
});

Deno.test("uart: nothing is taken from the port before the guest looks", () => {
  const s = new Setup();
  s.port.type("piped");
  s.w(UART.FCR, FCR.ENABLE | FCR.CLEAR_RX | FCR.CLEAR_TX);
  s.w(UART.THR, 65);
  assertEquals(s.port.waiting.length, 5);
  assertEquals(s.r(UART.LSR) & LSR.DR, LSR.DR);
  assertEquals(s.text(5), "piped");
});

Deno.test("uart: a guest that reads RBR without asking finds the bytes too", () => {
  const s = new Setup();
  s.port.type("ab");
  assertEquals(s.text(2), "ab");
});

Deno.test("uart: switching or clearing the FIFOs drops what was received", () => {
  const s = new Setup();
  s.w(UART.FCR, FCR.ENABLE);
  s.w(UART.IER, IER.RDI);
  s.port.type("abc");
  s.w(UART.FCR, FCR.ENABLE | FCR.CLEAR_RX);
  assertEquals([s.r(UART.LSR) & LSR.DR, s.irq], [0, false]);
  s.port.type("def");
  s.w(UART.FCR, 0);
  assertEquals([s.r(UART.LSR) & LSR.DR, s.r(UART.IIR) & IIR.FIFOS], [0, 0]);
});

Deno.test("uart: loopback sends to itself and not to the port", () => {
  const s = new Setup();
  s.w(UART.FCR, FCR.ENABLE);
  s.w(UART.MCR, MCR.LOOP);
  s.w(UART.IER, IER.RDI);
  s.port.type("outside");
  for (const c of "loop") s.w(UART.THR, c.charCodeAt(0));
  assertEquals([s.port.sent, s.irq, s.text(4)], ["", true, "loop"]);
  assertEquals(s.r(UART.LSR) & LSR.DR, 0);
  s.w(UART.MCR, 0);
  assertEquals(s.text(7), "outside");
});

Deno.test("uart: loopback connects modem outputs to inputs (Linux looks for it)", () => {
  const s = new Setup();
  const inputs = (mcr: number) => {
    s.w(UART.MCR, MCR.LOOP | mcr);
    return s.r(UART.MSR) & 0xf0;
  };
  assertEquals([0, MCR.DTR, MCR.RTS, MCR.OUT1, MCR.OUT2].map(inputs), [0, MSR.DSR, MSR.CTS, MSR.RI, MSR.DCD]);
  assertEquals(inputs(MCR.OUT2 | MCR.RTS), 0x90);
});

Deno.test("uart: modem status interrupt tells changes until MSR is read", () => {
  const s = new Setup();
  s.w(UART.IER, IER.MSI);
  s.w(UART.MCR, MCR.LOOP | MCR.RTS | MCR.DTR | MCR.OUT2);
  assertEquals(s.irq, false);
  s.w(UART.MCR, MCR.LOOP | MCR.DTR | MCR.OUT2 | MCR.OUT1);
  assertEquals([s.irq, s.r(UART.IIR)], [true, IIR.MSI]);
  assertEquals(s.r(UART.MSR), MSR.DCTS | MSR.DSR | MSR.DCD | MSR.RI);
  assertEquals([s.irq, s.r(UART.IIR)], [false, IIR.NONE]);
  s.w(UART.MCR, MCR.LOOP | MCR.DTR | MCR.OUT2);
  assertEquals(s.r(UART.MSR), MSR.TERI | MSR.DSR | MSR.DCD);
});

Deno.test("uart: overrun in loopback keeps the FIFO and tells in LSR once", () => {
  const s = new Setup();
  s.w(UART.FCR, FCR.ENABLE);
  s.w(UART.MCR, MCR.LOOP);
  s.w(UART.IER, IER.RLSI);
  for (let i = 0; i < 17; i++) s.w(UART.THR, 65 + i);
  assertEquals([s.irq, s.r(UART.IIR)], [true, IIR.FIFOS | IIR.RLSI]);
  assertEquals(s.r(UART.LSR), LSR.THRE | LSR.TEMT | LSR.OE | LSR.DR);
  assertEquals([s.irq, s.r(UART.LSR)], [false, LSR.THRE | LSR.TEMT | LSR.DR]);
  assertEquals(s.text(16), "ABCDEFGHIJKLMNOP");
});

Deno.test("uart: overrun without FIFO replaces the byte", () => {
  const s = new Setup();
  s.w(UART.MCR, MCR.LOOP);
  s.w(UART.THR, 65);
  s.w(UART.THR, 66);
  assertEquals([s.r(UART.LSR) & (LSR.OE | LSR.DR), s.r(UART.RBR)], [LSR.OE | LSR.DR, 66]);
});

Deno.test("uart: wide accesses reach one register, beyond eight bytes nothing answers", () => {
  const s = new Setup();
  s.uart.write(UART.SCR, 4, 0x1122_3344);
  assertEquals(s.uart.read(UART.SCR, 4), 0x44);
  assertEquals(s.uart.write(UART.THR, 4, 0x4142_4344), 0);
  assertEquals(s.port.sent, "D");
  assertEquals([s.uart.read(8, 1), s.uart.write(0xff, 1, 0)], [BUS_FAULT, BUS_FAULT]);
});

Deno.test("uart: reset brings everything back", () => {
  const s = new Setup();
  s.w(UART.FCR, FCR.ENABLE);
  s.w(UART.IER, 0xf);
  s.w(UART.LCR, 0x1b);
  s.w(UART.MCR, MCR.LOOP);
  s.w(UART.SCR, 9);
  s.w(UART.THR, 65);
  s.uart.reset();
  assertEquals(
    [UART.IER, UART.IIR, UART.LCR, UART.MCR, UART.LSR, UART.MSR, UART.SCR].map((o) => s.r(o)),
    [0, 1, 0, 0, 0x60, 0xb0, 0],
  );
  assertEquals([s.irq, s.clock.next], [false, Infinity]);
});

Deno.test("uart: polling LSR to send takes nothing from a port that tells what it has", () => {
  const port = Object.assign(new Port(), { readable: 0 });
  const clock = new Clock(100);
  const uart = new Uart({ clock, clockHz: 3_686_400, irq: { set() {} }, port, events: new EventStream() });
  port.type("ab");
  port.readable = 2;
  const status = (): number => uart.read(UART.LSR, 1) & LSR.DR;
  assertEquals([status(), port.waiting.length], [LSR.DR, 2]);
  uart.write(UART.MCR, 1, MCR.LOOP);
  assertEquals(status(), 0); // the line is cut in loopback
  uart.write(UART.MCR, 1, 0);
  port.readable = 0; // the input is for another console now
  assertEquals([status(), port.waiting.length], [0, 2]);
  port.readable = 2;
  assertEquals([uart.read(UART.RBR, 1), port.waiting.length], [0x61, 1]);
});
