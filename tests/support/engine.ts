/**
 * A bare hart on any engine: RAM, a little ROM, one small device, no firmware. For tests of what instructions do and of
 * engines against each other.
 */
import { Bus } from "../../vm/bus/bus.ts";
import { Clock } from "../../vm/bus/clock.ts";
import type { AccessSize, Device } from "../../vm/bus/device.ts";
import { GuestMemory } from "../../vm/bus/memory.ts";
import type { RegisterDef } from "../../vm/bus/register.ts";
import { EventStream } from "../../vm/events.ts";
import type { Engine } from "../../vm/hart/engine.ts";
import { Hart } from "../../vm/hart/hart.ts";
import { layoutOf } from "../../vm/hart/layout.ts";
import type { PmpEntries } from "../../vm/hart/pmp.ts";
import { RecordRing } from "../../vm/hart/record_ring.ts";
import { type EngineName, engineNames } from "../../vm/machine.ts";
import { ReferenceEngine } from "../../vm/hart/reference_engine.ts";
import { emittedEngines } from "../../vm/machine/emitted_engines.ts";
import { wireEvents } from "../../vm/machine/wire_events.ts";
import type { Isa } from "../../vm/isa/table.ts";

export { type EngineName, engineNames };

/** Where things are. */
export const BARE = {
  ram: 0x8000_0000,
  ramSize: 0x1_0000,
  rom: 0x1000,
  romSize: 0x1000,
  device: 0x1000_0000,
  deviceSize: 0x100,
} as const;

/** A device of plain words that remembers what was asked of it; its last word refuses every access. */
class WordDevice implements Device {
  readonly name = "words";
  readonly registers: readonly RegisterDef[] = [];
  readonly log: string[] = [];
  readonly #bytes = new DataView(new ArrayBuffer(BARE.deviceSize));

  read(offset: number, size: AccessSize): number {
    this.log.push(`read ${size} at ${offset}`);
    if (offset >= BARE.deviceSize - 4) return -1;
    return size === 4
      ? this.#bytes.getUint32(offset, true)
      : size === 2
      ? this.#bytes.getUint16(offset, true)
      : this.#bytes.getUint8(offset);
  }
  write(offset: number, size: AccessSize, value: number): number {
    this.log.push(`write ${size} at ${offset}: ${value}`);
    if (offset >= BARE.deviceSize - 4) return -1;
    if (size === 4) this.#bytes.setUint32(offset, value, true);
    else if (size === 2) this.#bytes.setUint16(offset, value, true);
    else this.#bytes.setUint8(offset, value);
    return 0;
  }
  reset(): void {
    this.log.length = 0;
    for (let i = 0; i < BARE.deviceSize; i++) this.#bytes.setUint8(i, 0);
  }
}

/** One hart with its memory, on one engine. */
export class BareMachine {
  readonly name: EngineName;
  readonly hart: Hart;
  readonly engine: Engine;
  readonly memory: GuestMemory;
  readonly clock: Clock = new Clock();
  readonly events: EventStream = new EventStream();
  readonly records: RecordRing;
  readonly device: WordDevice = new WordDevice();
  readonly #bus: Bus;

  /** Without PMP entries unless asked for, so that programs may go to any mode at once. */
  constructor(name: EngineName, isa: Isa, pmpEntries: PmpEntries = 0) {
    const layout = layoutOf(1, BARE.romSize, BARE.ramSize);
    const wasm = new WebAssembly.Memory({ initial: layout.wasmPages, maximum: layout.wasmPages });
    const buffer = wasm.buffer as ArrayBuffer;
    this.name = name;
    this.memory = new GuestMemory(buffer, [
      { name: "ram", base: BARE.ram, size: BARE.ramSize, host: layout.ram, writable: true },
      { name: "rom", base: BARE.rom, size: BARE.romSize, host: layout.rom, writable: false },
    ]);
    this.#bus = new Bus(this.events);
    this.#bus.attach({ name: "words", base: BARE.device, size: BARE.deviceSize }, this.device);
    this.records = new RecordRing(buffer, layout.records, this.events);
    this.hart = new Hart({
      index: 0,
      isa,
      memory: this.memory,
      bus: this.#bus,
      events: this.events,
      clock: this.clock,
      base: layout.hart(0),
      records: this.records,
      resetPc: BigInt(BARE.ram),
      time: () => BigInt(this.clock.ticks),
      pmpEntries,
    });
    // Everything that is seen twice is translated, so that short programs reach translated code.
    const tuning = { hot: 1, quantum: 37 };
    this.engine = name === "reference"
      ? new ReferenceEngine(this.hart)
      : emittedEngines(name, { harts: [this.hart], wasm, layout, ramSize: BARE.ramSize, tuning })[0]!;
    wireEvents(this.events, {
      clock: this.clock,
      records: this.records,
      specialise: (records) => this.engine.specialise(records),
      hart: () => this.hart,
      memorySize: BARE.ramSize,
    });
  }

  /** Power-on, with memory cleared and `bytes` at the start of RAM, where execution begins. */
  load(bytes: Uint8Array): void {
    this.clock.reset();
    this.#bus.reset();
    this.engine.reset();
    this.hart.reset();
    this.ram.fill(0);
    this.memory.wrote(BARE.ram, BARE.ramSize);
    if (!this.memory.load(BARE.ram, bytes)) throw new RangeError(`${bytes.length} bytes do not fit the bare machine`);
  }

  /** All of RAM; say `memory.wrote` after writing to it. */
  get ram(): Uint8Array<ArrayBuffer> {
    return this.memory.bytes(BARE.ram, BARE.ramSize)!;
  }

  /** Starts or stops making records of retired instructions. */
  record(on: boolean): void {
    this.records.active = on;
    this.engine.specialise(on);
  }

  /** Runs `steps` instructions, fewer if the hart waits or its guest dies. */
  run(steps: number): void {
    this.clock.sliceEnd = this.clock.now + steps;
    this.engine.run();
    this.clock.steps += this.clock.inSlice;
    this.clock.inSlice = 0;
    this.clock.sliceEnd = Infinity;
  }
}
