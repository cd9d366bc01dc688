/**
 * A virtio slot for fuzzing: a small board with guards around its memory, a device with all of its host's side in reach,
 * and cases that are lists of plain numbers, so that they can be kept, replayed and shrunk.
 */
import { HostError } from "../../devices/block_backend.ts";
import type { CharPort } from "../../devices/char_port.ts";
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { chaosTransport } from "../../devices/virtio/chaos.ts";
import { chaosKinds } from "../../devices/virtio/chaos_kinds.ts";
import { VirtioConsole } from "../../devices/virtio/console.ts";
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { VirtioDummy } from "../../devices/virtio/dummy.ts";
import { VirtioMmio, type VirtioMmioOptions } from "../../devices/virtio/mmio.ts";
import { type FeatureSwitches, featureSwitches, legacyHas } from "../../devices/virtio/offered.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import { Clock } from "../../vm/bus/clock.ts";
import { GuestMemory } from "../../vm/bus/memory.ts";
import { EventStream } from "../../vm/events.ts";
import { TestPort } from "./char_port.ts";

export const FUZZ_RAM = 0x8000_0000;
export const FUZZ_RAM_SIZE: number = 256 << 10;
const ROM = 0x1000;
const PAGE = 4096;
/** Host layout: guard, ROM, guard, RAM, guard. */
const ROM_AT = PAGE;
const RAM_AT = 3 * PAGE;
const GUARD = 0xa5c3_96e1;
const ROM_WORD = 0x1234_5678;

/** Most deadlines of a case: a device that sets ever new ones at the same moment would never come to an end. */
const DEADLINES_MAX = 20_000;

/** Host time of a case above which something is wrong, in milliseconds. */
const CASE_MS_MAX = 5000;

/** One thing a guest or the world does: `[Op.Write, offset, size, value]`, `[Op.Read, offset, size]`, … */
export type FuzzOp = readonly number[];

export const Op = {
  Write: 0,
  Read: 1,
  Poke: 2,
  Wait: 3,
  Type: 4,
  Resize: 5,
  Break: 6,
  SystemReset: 7,
  Clear: 8,
} as const;

/** A case: a device, how it is built, and what happens to it. */
export interface FuzzCase {
  readonly device: string;
  readonly version: 1 | 2;
  /** Names of what is switched on; everything else is off. */
  readonly on: readonly string[];
  readonly strict: boolean;
  /** Seed of the chaos, or -1 for none. */
  readonly chaos: number;
  readonly ops: readonly FuzzOp[];
}

/** What came of a case that went well: the rules that were broken, and the steps that queues made. */
export interface FuzzResult {
  readonly rules: ReadonlySet<string>;
  /** Buffers used. */
  readonly used: number;
}

/** A device with its host's side. */
interface Subject {
  readonly device: VirtioDevice;
  readonly port?: TestPort;
  readonly resize?: (cols: number, rows: number) => void;
  readonly disk?: FailingDisk;
}

/** A disk whose host fails while it is told to. */
class FailingDisk extends MemoryDisk {
  broken = false;

  override read(offset: number, target: Uint8Array): void {
    this.#check();
    super.read(offset, target);
  }

  override write(offset: number, source: Uint8Array): void {
    this.#check();
    super.write(offset, source);
  }

  override flush(): void {
    this.#check();
    super.flush();
  }

  #check(): void {
    if (this.broken) throw new HostError("the disk is full");
  }
}

function blk(options: { readOnly?: boolean; discard?: boolean } = {}): Subject {
  const disk = new FailingDisk(64 * 512, { readOnly: options.readOnly ?? false });
  return {
    device: new VirtioBlk({ backend: disk, queueSize: 16, features: { discard: options.discard ?? false } }),
    disk,
  };
}

/** A disk that offers all it can, and another size. */
function blkFull(): Subject {
  const disk = new FailingDisk(64 * 512);
  const on = { discard: true, secure_erase: true, lifetime: true, size_max: true };
  const device = new VirtioBlk({ backend: disk, queueSize: 16, queues: 2, features: on });
  return { device, disk, resize: (sectors) => device.resize((sectors % 100) * 512) };
}

/** A console whose ports come and go, and have ends that do. */
function consolePorts(): Subject {
  const port = new TestPort();
  let connected = true;
  let full = false;
  let changed: () => void = () => {};
  const end: CharPort = {
    write: () => {},
    read: (max) => new Uint8Array(Math.min(max, 5)),
    onReadable: () => {},
    onChange: (listener) => changed = listener,
    get connected() {
      return connected;
    },
    get full() {
      return full;
    },
  };
  const ports = [{ port: end, name: "end" }];
  const device = new VirtioConsole({ port, queueSize: 16, maxPorts: 3, ports });
  const resize = (cols: number, rows: number): void => {
    const ids = device.portIds;
    if (rows % 4 === 0) device.resize(cols, rows);
    else if (rows % 4 === 1 && ids.length < 3) device.addPort({ port: new TestPort(), console: true });
    else if (rows % 4 === 2 && ids.length > 0) device.removePort(ids[cols % ids.length]!);
    else {
      connected = cols % 2 === 0;
      full = cols % 3 === 0;
      changed();
    }
  };
  return { device, port, resize };
}

/** Every device type, in the forms that differ. */
export const subjects: Readonly<Record<string, () => Subject>> = {
  blk: () => blk(),
  blk_discard: () => blk({ discard: true }),
  blk_ro: () => blk({ readOnly: true }),
  blk_full: blkFull,
  console: () => {
    const port = new TestPort();
    const device = new VirtioConsole({ port, queueSize: 16 });
    return { device, port, resize: (cols, rows) => device.resize(cols, rows) };
  },
  console_ports: consolePorts,
  rng: () => ({ device: new VirtioRng({ queueSize: 16 }) }),
  dummy: () => ({ device: new VirtioDummy({ intervalUs: 1, queueSize: 16 }) }),
  dummy_shared: () => ({ device: new VirtioDummy({ intervalUs: 1, queueSize: 16, sharedMemory: 8192 }) }),
};

/** The board, used again for every case. */
export class FuzzRig {
  readonly #buffer = new ArrayBuffer(RAM_AT + FUZZ_RAM_SIZE + PAGE);
  readonly #words = new Uint32Array(this.#buffer);
  readonly #ram = new Uint8Array(this.#buffer, RAM_AT, FUZZ_RAM_SIZE);
  /** What no device may write, from and to in words, and what it holds: ROM may be read, the guards not even that. */
  readonly #kept: readonly (readonly [number, number, number])[] = [
    [0, ROM_AT / 4, GUARD],
    [ROM_AT / 4, ROM_AT / 4 + PAGE / 4, ROM_WORD],
    [ROM_AT / 4 + PAGE / 4, RAM_AT / 4, GUARD],
    [(RAM_AT + FUZZ_RAM_SIZE) / 4, this.#words.length, GUARD],
  ];

  /** Makes all of the board what it is before a case. */
  #clear(): void {
    this.#ram.fill(0);
    for (const [from, to, word] of this.#kept) this.#words.fill(word, from, to);
  }

  /**
   * Runs a case.
   *
   * @throws whatever goes wrong: an exception of a device, a guard that was written, a case without end
   */
  run(one: FuzzCase): FuzzResult {
    this.#clear();
    const memory = new GuestMemory(this.#buffer, [
      { name: "rom", base: ROM, size: PAGE, host: ROM_AT, writable: false },
      { name: "ram", base: FUZZ_RAM, size: FUZZ_RAM_SIZE, host: RAM_AT, writable: true },
    ]);
    memory.onWrite((addr, length) => {
      if (!(addr >= FUZZ_RAM && addr + length <= FUZZ_RAM + FUZZ_RAM_SIZE)) {
        throw new Error(`wrote ${length} bytes at ${addr.toString(16)}, which is not RAM`);
      }
    });
    const clock = new Clock();
    const events = new EventStream();
    const rules = new Set<string>();
    let used = 0;
    events.on("violation", ({ id }) => rules.add(id));
    events.on("virtqueue", ({ step }) => step === "used" && used++);
    const subject = subjects[one.device]!();
    const irq = { set: () => {} };
    const switches: FeatureSwitches = Object.fromEntries(
      featureSwitches.filter(({ name }) => one.version === 2 || legacyHas(name))
        .map(({ name }) => [name, one.on.includes(name)]),
    );
    const { version, strict } = one;
    const options: VirtioMmioOptions = {
      ...{ name: "virtio0", device: subject.device, memory, clock, events, irq, version, strict, switches },
    };
    const slot = one.chaos < 0
      ? new VirtioMmio(options)
      : chaosTransport({ seed: one.chaos, kinds: new Set(chaosKinds.map(({ name }) => name)) }, 0)(options);
    const start = performance.now();
    let deadlines = 0;
    const wait = (nanoseconds: number): void => {
      const end = clock.now + nanoseconds;
      while (clock.next <= end) {
        clock.idle += Math.max(0, clock.next - clock.now);
        deadlines += clock.runDue();
        if (deadlines > DEADLINES_MAX) throw new Error(`${deadlines} deadlines and no end`);
        if (performance.now() - start > CASE_MS_MAX) throw new Error("the case takes too long");
      }
      clock.idle += Math.max(0, end - clock.now);
    };
    for (const [op, a = 0, b = 0, c = 0] of one.ops) {
      switch (op) {
        case Op.Write:
          slot.write(a, b as 1 | 2 | 4, c);
          break;
        case Op.Read:
          this.#checkRead(slot.read(a, b as 1 | 2 | 4), b);
          break;
        case Op.Poke:
          if (a + b <= FUZZ_RAM_SIZE) { for (let i = 0; i < b; i++) this.#ram[a + i] = Math.floor(c / 2 ** (8 * i)); }
          break;
        case Op.Clear:
          this.#ram.fill(0, a, a + b);
          break;
        case Op.Wait:
          wait(a);
          break;
        case Op.Type:
          subject.port?.type("x".repeat(a));
          break;
        case Op.Resize:
          subject.resize?.(a, b);
          break;
        case Op.Break:
          if (subject.disk !== undefined) subject.disk.broken = a !== 0;
          break;
        case Op.SystemReset:
          slot.reset();
          break;
      }
    }
    wait(100_000);
    if (performance.now() - start > CASE_MS_MAX) throw new Error("the case takes too long");
    this.#check(subject);
    return { rules, used };
  }

  /** A device answers with an unsigned number of that width. */
  #checkRead(value: number, size: number): void {
    if (!Number.isInteger(value) || value < 0 || value >= 2 ** (8 * size)) {
      throw new Error(`a read of ${size} bytes gave ${value}`);
    }
  }

  /** Nothing outside RAM was written, and nothing of it was read: its bytes are in no output. */
  #check({ port, disk }: Subject): void {
    for (const [from, to, word] of this.#kept) {
      for (let i = from; i < to; i++) {
        if (this.#words[i] !== word) throw new Error(`the host's memory at ${i * 4} was written`);
      }
    }
    if (port !== undefined && port.output.includes(GUARD_TEXT)) throw new Error("bytes outside RAM were printed");
    if (disk === undefined) return;
    const content = new Uint32Array(disk.sizeBytes / 4);
    disk.broken = false;
    disk.read(0, new Uint8Array(content.buffer));
    if (content.includes(GUARD)) throw new Error("bytes outside RAM were stored");
  }
}

const GUARD_TEXT = String.fromCharCode(...new Uint8Array(Uint32Array.of(GUARD).buffer));
