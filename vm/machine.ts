/**
 * The machine: the board wired up, its harts and engines, and the loop that runs them in virtual time.
 *
 * ```ts
 * import { readImage } from "./boot/image.ts";
 * import { parseIsa } from "./isa/table.ts";
 * import { Machine } from "./machine.ts";
 *
 * const uart = { write() {}, read: () => new Uint8Array(0), onReadable() {} };
 * const machine = new Machine({ isa: parseIsa("rv64imac"), memorySize: 16 << 20, uart, slots: [] });
 * machine.load(readImage(new Uint8Array([0x6f, 0, 0, 0]), { name: "loop.bin" })); // j .
 * const stop = await machine.run({ steps: 1000 });
 * // stop.reason is "limit"
 * ```
 */
import type { CharPort } from "../devices/char_port.ts";
import { Clint } from "../devices/clint.ts";
import { Finisher } from "../devices/finisher.ts";
import type { FwCfg } from "../devices/fw_cfg.ts";
import type { Htif } from "../devices/htif.ts";
import { Plic } from "../devices/plic.ts";
import { Uart } from "../devices/uart.ts";
import type { VirtioDevice } from "../devices/virtio/device.ts";
import type { EmptyVirtioSlot } from "../devices/virtio/empty_slot.ts";
import type { VirtioMmio, VirtioMmioOptions } from "../devices/virtio/mmio.ts";
import type { FeatureSwitches } from "../devices/virtio/offered.ts";
import { boardEntry, PLIC_SOURCES, RAM_BASE, UART_CLOCK_HZ, virtBoard } from "./board.ts";
import { type Boot, fileDeviceTree, imageBoot } from "./boot/boot.ts";
import { deviceTree } from "./boot/device_tree.ts";
import { encodeFdt } from "./boot/fdt.ts";
import type { Image } from "./boot/image.ts";
import { Bus } from "./bus/bus.ts";
import { Clock } from "./bus/clock.ts";
import type { Device } from "./bus/device.ts";
import { GuestMemory } from "./bus/memory.ts";
import { EventStream } from "./events.ts";
import { Interrupt } from "./hart/csr.ts";
import { type EngineName, engineNames } from "./hart/engine.ts";
import { Hart } from "./hart/hart.ts";
import { layoutOf } from "./hart/layout.ts";
import type { PmpEntries } from "./hart/pmp.ts";
import { RecordRing } from "./hart/record_ring.ts";
import { CACHE_BLOCK } from "./isa/rv_zicbo.ts";
import type { Isa } from "./isa/table.ts";
import { checkOptions } from "./machine/check_options.ts";
import { Engines } from "./machine/engines.ts";
import { EventLoopTurns } from "./machine/event_loop_turns.ts";
import { attachFirmwareDevices } from "./machine/firmware_devices.ts";
import { flashRegions } from "./machine/flash_banks.ts";
import { makeHtif, uartConsole } from "./machine/firmware_ports.ts";
import { loadBoot, loadFlash, offerKernel } from "./machine/load_boot.ts";
import type { Stop, StopBy } from "./machine/stop.ts";
import { wireEvents } from "./machine/wire_events.ts";
import { makeVirtioSlots } from "./machine/virtio_slots.ts";
import type { Sbi } from "./sbi/sbi.ts";

export { type EngineName, engineNames };
export type { Stop, StopBy, StopReason } from "./machine/stop.ts";

/** What is in a virtio slot. */
export interface SlotOptions {
  /** The device type behind the slot. */
  readonly device: VirtioDevice;
  /** virtio-mmio version: 1 legacy, 2 modern. */
  readonly version: 1 | 2;
  /** Virtual time a request takes, in nanoseconds; default 10 µs. */
  readonly latencyNs?: number;
  /** Refuse what drivers must not do but devices usually tolerate; default: tolerate and report. */
  readonly strict?: boolean;
  /** Features of transport and virtqueues to offer or not, such as `packed`, where it is not the default. */
  readonly switches?: FeatureSwitches;
  /**
   * What makes its transport in place of `VirtioMmio` itself.
   *
   * @internal
   */
  readonly transport?: (options: VirtioMmioOptions) => VirtioMmio;
}

/** The host's clock, as far as a machine needs it: when to let the host do something, and how idle time passes. */
export interface Pacing {
  /** Whether the event loop is due a turn; asked every few thousand instructions. Absent: counted in instructions. */
  turnDue?(): boolean;
  /** Whether input may still come from outside. If not, idle time is skipped. */
  live(): boolean;
  /** Sleeps up to `nanoseconds` (may be Infinity) or until input comes; gives the nanoseconds that passed. */
  sleep(nanoseconds: number): Promise<number>;
}

/** What a machine is made of. */
export interface MachineOptions {
  /** Instructions and width of every hart. */
  readonly isa: Isa;
  /** Bytes of RAM, a multiple of 4096. */
  readonly memorySize: number;
  /** 1 to 8; default 1. */
  readonly harts?: number;
  /** Default `auto`. */
  readonly engine?: EngineName;
  /** What is at the other end of the UART. */
  readonly uart: CharPort;
  /** By slot; a hole is an empty slot. */
  readonly slots: readonly (SlotOptions | undefined)[];
  /** Version of the empty slots; default 2. */
  readonly emptyVersion?: 1 | 2;
  /** Kernel command line, for the device tree. */
  readonly bootargs?: string;
  /** Instructions per tick of the 10 MHz timer; default 100. */
  readonly stepsPerTick?: number;
  /** PMP entries per hart; default 16. With 0 every mode may access everything. */
  readonly pmpEntries?: PmpEntries;
  /** Wall clock at power-on in milliseconds since 1970; default 2026-01-01, the same for every run. */
  readonly rtcEpoch?: number;
  /** Absent: no input ever comes. */
  readonly pacing?: Pacing;
}

/** Steps between turns of the event loop: tens of milliseconds, for instructions that stay inside the engine. */
const CHUNK: Readonly<Record<EngineName, number>> = {
  reference: 100_000,
  interpreter: 10_000_000,
  auto: 20_000_000,
};

/** Most steps in one go: those that access devices, or are traced, take many times as long as others. */
const ROUND: Readonly<Record<EngineName, number>> = { reference: 5_000, interpreter: 50_000, auto: 200_000 };

/** Steps of a hart before the next one's turn, where there are several. */
const SLICE = 10_000;

/** A machine. */
export class Machine {
  /** Instructions and width of every hart. */
  readonly isa: Isa;
  /** What happens in it. */
  readonly events: EventStream = new EventStream();
  /** Virtual time. */
  readonly clock: Clock;
  /** RAM and ROM, as devices and loaders see them. */
  readonly memory: GuestMemory;
  /** Devices by address; one attached here is reset with the machine. */
  readonly bus: Bus;
  /** Harts by hart id. */
  readonly harts: readonly Hart[];
  /**
   * What executes the harts.
   *
   * @internal
   */
  readonly engines: Engines;
  /** Which engine executes the harts. */
  readonly engine: EngineName;
  /**
   * The virtio slots' devices, by slot.
   *
   * @internal
   */
  readonly slots: readonly (VirtioMmio | EmptyVirtioSlot)[];
  /** The interrupt controller, whose sources devices raise. */
  readonly plic: Plic;
  /**
   * The timer.
   *
   * @internal
   */
  readonly clint: Clint;
  readonly #options: MachineOptions;
  readonly #config: FwCfg;
  readonly #uart: Uart;
  readonly #records: RecordRing;
  /** How often it was reset. */
  resets = 0;
  #active = 0;
  #stop: Stop | undefined = undefined;
  #boot: Boot | undefined = undefined;
  #sbi: Sbi | undefined = undefined;
  #htif: Htif | undefined = undefined;

  /** Builds the board, at power-on. Throws a `RangeError` for options out of range. */
  constructor(options: MachineOptions) {
    checkOptions(options);
    this.#options = options;
    this.isa = options.isa;
    this.engine = options.engine ?? "auto";
    this.clock = new Clock(options.stepsPerTick);
    const count = options.harts ?? 1;
    const rom = boardEntry("rom");
    const layout = layoutOf(count, rom.size + boardEntry("flash").size, options.memorySize);
    const wasm = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages });
    const buffer = wasm.buffer as ArrayBuffer;
    this.memory = new GuestMemory(buffer, [
      { name: "ram", base: RAM_BASE, size: options.memorySize, host: layout.ram, writable: true },
      { name: "rom", base: rom.base, size: rom.size, host: layout.rom, writable: false },
      ...flashRegions(layout.rom + rom.size),
    ]);
    this.bus = new Bus(this.events);
    this.#records = new RecordRing(buffer, layout.records, this.events);
    this.harts = Array.from({ length: count }, (_, index) =>
      new Hart({
        index,
        isa: options.isa,
        memory: this.memory,
        bus: this.bus,
        events: this.events,
        clock: this.clock,
        base: layout.hart(index),
        records: this.#records,
        resetPc: BigInt(rom.base),
        time: () => this.clint.ticks(),
        ...(options.pmpEntries !== undefined && { pmpEntries: options.pmpEntries }),
      }));
    this.engines = new Engines(this.engine, { harts: this.harts, wasm, layout, ramSize: options.memorySize });
    this.clint = new Clint({
      clock: this.clock,
      harts: this.harts.map((h) => ({ software: h.line(Interrupt.MSI), timer: h.line(Interrupt.MTI) })),
      onOffset: () => this.harts.forEach((h) => h.timer.update()),
    });
    this.plic = new Plic({
      contexts: this.harts.flatMap((h) => [h.line(Interrupt.MEI), h.line(Interrupt.SEI)]),
      events: this.events,
      names: namesBySource(),
      sources: PLIC_SOURCES,
    });
    this.slots = makeVirtioSlots(options.slots, options.emptyVersion ?? 2, this);
    this.#uart = new Uart({
      clock: this.clock,
      clockHz: UART_CLOCK_HZ,
      irq: this.plic.source(boardEntry("uart").irq!),
      port: options.uart,
      events: this.events,
    });
    this.#attachAll();
    this.#config = attachFirmwareDevices({
      bus: this.bus,
      clock: this.clock,
      memory: this.memory,
      events: this.events,
      plic: this.plic,
      harts: count,
      memorySize: options.memorySize,
      rtcEpoch: options.rtcEpoch,
    });
    wireEvents(this.events, {
      clock: this.clock,
      records: this.#records,
      specialise: (records) => this.engines.specialise(records),
      hart: () => this.harts[this.#active]!,
      memorySize: options.memorySize,
    });
  }

  #attachAll(): void {
    const attach = (name: string, device: Device) => this.bus.attach(boardEntry(name), device);
    attach("uart", this.#uart);
    attach(
      "finisher",
      new Finisher({ events: this.events, onFinish: (f) => this.#finish(f.step, f.code, "finisher") }),
    );
    this.slots.forEach((device) => attach(device.name, device));
    attach("clint", this.clint);
    attach("plic", this.plic);
  }

  /**
   * Puts an image or a whole boot (see `planBoot`), the device tree and the reset vector into memory. Throws an
   * `ImageError` if they do not fit.
   */
  load(what: Image | Boot): void {
    const boot = "images" in what ? what : imageBoot(what);
    const { memorySize } = this.#options;
    const tree = fileDeviceTree(boot) ?? this.deviceTree(boot);
    if (this.#boot !== boot) {
      loadFlash(this.memory, boot);
      offerKernel(this.#config, boot);
    }
    const fdt = loadBoot(this.memory, boot, { xlen: this.isa.xlen, memorySize, tree });
    this.#boot = boot;
    const console = uartConsole(this.#uart, this.#options.uart, this.events);
    this.#htif = makeHtif(boot.images, {
      memory: this.memory,
      events: this.events,
      xlen: this.isa.xlen,
      console,
      exit: (code) => this.#finish(code === 0 ? "pass" : "fail", code, "htif"),
    });
    if (boot.environment === undefined) return;
    this.#sbi ??= boot.environment({
      harts: this.harts,
      memory: this.memory,
      console,
      end: (how, code) => {
        if (this.events.wants("machine")) this.events.emit({ kind: "machine", step: how, code });
        this.#finish(how, code, "sbi");
      },
    });
    this.#sbi.start(boot.entry, fdt);
  }

  /** The board's device tree, as a blob, with what a boot adds to it. */
  deviceTree(boot?: Boot): Uint8Array<ArrayBuffer> {
    const { memorySize } = this.#options;
    const bootargs = boot?.append ?? this.#options.bootargs;
    const initrd = boot?.initrd?.range;
    return encodeFdt(deviceTree({
      harts: this.harts.length,
      memory: memorySize,
      isa: this.isa.name,
      cacheBlock: CACHE_BLOCK,
      mmu: this.isa.xlen === 64 ? "riscv,sv57" : "riscv,sv32",
      ...(bootargs !== undefined && { bootargs }),
      ...(initrd !== undefined && { initrd }),
    }));
  }

  /** System reset: everything as at power-on, the image in memory anew. */
  reset(): void {
    this.clock.reset();
    this.bus.reset();
    // Once more, after the clock, whose line into one of them lies below it.
    this.plic.reset();
    for (const hart of this.harts) hart.reset();
    this.engines.reset();
    if (this.#boot !== undefined) this.load(this.#boot);
    this.#stop = undefined;
    this.resets++;
    if (this.events.wants("machine")) this.events.emit({ kind: "machine", step: "reset", code: 0 });
  }

  /** Ends the run at the next opportunity. */
  stop(): void {
    this.#end({ reason: "stopped", code: 0 });
  }

  /**
   * Runs until something ends it: the guest through the finisher, the limit (in steps since reset), a death, or a stall
   * that nothing can end. Gives the event loop a turn when the pacing asks for one, else every so many steps.
   */
  async run(limit: { readonly steps?: number } = {}): Promise<Stop> {
    const turns = new EventLoopTurns();
    try {
      return await this.#run(limit.steps ?? Infinity, turns);
    } finally {
      turns.close();
      this.#records.drain();
    }
  }

  async #run(last: number, turns: EventLoopTurns): Promise<Stop> {
    this.#stop = undefined;
    let sinceTurn = 0;
    for (;;) {
      const before = this.clock.steps;
      // Several harts take whole slices, so that their order is the same on every engine; HTIF is looked at after each.
      const sliced = this.harts.length > 1 || this.#htif !== undefined;
      const first = this.engines.stepsLeft(before, sliced);
      if (first === 0 && before < last) {
        await this.engines.next();
        continue;
      }
      this.#round(Math.min(sliced ? SLICE : ROUND[this.engine], first, last - before));
      this.#htif?.poll(this.#idling);
      const stop = this.#ended(last) ?? await this.#idle();
      if (stop !== undefined) return stop;
      sinceTurn += this.clock.steps - before;
      if (this.#options.pacing?.turnDue?.() ?? sinceTurn >= CHUNK[this.engine]) {
        this.#records.drain();
        await turns.next();
        sinceTurn = 0;
      }
    }
  }

  /** Gives every hart one slice, and runs what is due after it. */
  #round(most: number): void {
    const clock = this.clock;
    const several = this.harts.length > 1;
    const start = clock.now;
    const slice = Math.max(0, Math.min(several ? SLICE : Infinity, most, clock.next - start));
    let longest = 0;
    this.harts.forEach((hart, i) => {
      if (this.#stop !== undefined || (hart.waiting && !hart.attention)) return;
      this.#active = i;
      clock.inSlice = 0;
      clock.sliceEnd = Math.min(start + slice, clock.next);
      this.engines.current[i]!.run();
      longest = Math.max(longest, clock.inSlice);
      if (several) hart.clearReservation();
    });
    clock.inSlice = 0;
    clock.steps += longest;
    clock.runDue();
  }

  #ended(lastStep: number): Stop | undefined {
    if (this.#stop !== undefined) return this.#stop;
    const dead = this.harts.find((h) => h.death !== undefined);
    if (dead !== undefined) return { reason: "died", code: 0, hart: dead, death: dead.death! };
    return this.clock.steps >= lastStep ? { reason: "limit", code: 0 } : undefined;
  }

  /** Whether every hart waits. */
  get #idling(): boolean {
    return this.harts.every((h) => h.waiting && !h.attention);
  }

  /** When every hart waits: goes to the next deadline, waits for input, or finds that nothing can end the wait. */
  async #idle(): Promise<Stop | undefined> {
    if (!this.#idling) return undefined;
    const clock = this.clock;
    const pacing = this.#options.pacing;
    const steps = clock.next - clock.now;
    if (pacing?.live()) {
      this.#records.drain();
      const passed = await pacing.sleep(steps * 100 / clock.stepsPerTick);
      clock.idle += Math.min(steps, clock.stepsOf(passed));
    } else if (steps === Infinity) {
      return { reason: "stall", code: 0 };
    } else {
      clock.idle += steps;
    }
    clock.runDue();
    return this.#stop;
  }

  #finish(step: "pass" | "fail" | "reset", code: number, by: StopBy): void {
    this.#end({ reason: step, code, by });
  }

  #end(stop: Stop): void {
    this.#stop ??= stop;
    this.clock.sliceEnd = this.clock.now;
  }
}

/** Device names by PLIC source. */
function namesBySource(): (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (const entry of virtBoard) if (entry.irq !== undefined) names[entry.irq] = entry.name;
  return names;
}
