/**
 * The host-target interface of Spike (HTIF): a program leaves a command in the word `tohost`, and the host answers in
 * `fromhost`. There is no register: the host looks at memory from time to time. Of its commands there are the end of the
 * run, the console, and the two system calls that programs print and exit by. Nothing specifies HTIF but its
 * implementation (fesvr, of https://github.com/riscv-software-src/riscv-isa-sim).
 */
import { hex } from "../vm/bits.ts";
import type { GuestMemory } from "../vm/bus/memory.ts";
import type { EventStream } from "../vm/events.ts";

/** A command is `device << 56 | command << 48 | payload`; these are the devices. */
const HTIF_DEVICE = { proxy: 0, console: 1 } as const;

/** Commands of the console. */
const CONSOLE = { read: 0, write: 1 } as const;

/** System calls: eight words at the payload's address, the number first, then what `write` and `exit` take. */
const SYSCALL = { write: 64, exit: 93, words: 8 } as const;

/** Results of calls that are not there, or name memory that is not: Linux's error numbers, negative. */
const ENOSYS = -38;
const EFAULT = -14;

/** The most that one call may print. */
const WRITE_MAX = 1 << 16;

/** What an HTIF is made of. */
export interface HtifOptions {
  readonly memory: GuestMemory;
  readonly events: EventStream;
  /** On RV32 a command is stored in two halves, of which one may be there alone. */
  readonly xlen: 32 | 64;
  /** Guest-physical address of the command's word. */
  readonly tohost: number;
  /** And of the answer's; a program that expects none may not have it. */
  readonly fromhost: number | undefined;
  /** Where characters go to and come from; `read` gives up to `max` that have been typed. */
  readonly console: { write(bytes: Uint8Array): void; read(max: number): Uint8Array };
  /** The program ends: 0 is a pass, anything else a failure. */
  readonly exit: (code: number) => void;
}

/** The host's side. */
export class Htif {
  readonly #options: HtifOptions;
  /** The last poll saw a command, of which a half may still be missing. */
  #seen: readonly [low: number, high: number] = [0, 0];
  /** Somebody waits for a key. */
  #reading = false;
  /** What the guest has not had room for yet. */
  #answer: readonly [low: number, high: number] | undefined;

  constructor(options: HtifOptions) {
    this.#options = options;
  }

  /**
   * Looks whether the guest wants something, and does it. Whoever calls it decides how long a guest waits. `idle` says
   * that no hart is going to store anything now: what is there is all there is.
   */
  poll(idle: boolean): void {
    const { tohost, xlen } = this.#options;
    const command = this.#word(tohost);
    const [low, high] = command;
    const before = this.#seen;
    this.#seen = command;
    if (low !== 0 || high !== 0) {
      if (xlen === 64 || idle || (low === before[0] && high === before[1])) {
        this.#seen = [0, 0];
        this.#store(tohost, 0, 0);
        this.#do(low, high);
      }
    }
    this.#reply();
  }

  #do(low: number, high: number): void {
    const [device, command] = [high >>> 24, (high >>> 16) & 0xff];
    if (device === HTIF_DEVICE.proxy && command === 0) {
      if ((low & 1) !== 0) this.#exit((high & 0xffff) * 2 ** 31 + (low >>> 1));
      else this.#call((high & 0xffff) * 2 ** 32 + low);
    } else if (device === HTIF_DEVICE.console && command === CONSOLE.write) {
      this.#options.console.write(Uint8Array.of(low & 0xff));
    } else if (device === HTIF_DEVICE.console && command === CONSOLE.read) {
      this.#reading = true;
    } else {
      this.#refuse(`device ${device}, command ${command}`);
    }
  }

  /** A system call, whose words are at `at`: the first becomes its result. */
  #call(at: number): void {
    const { memory, console } = this.#options;
    if (!memory.contains(at, 8 * SYSCALL.words, true)) {
      return this.#refuse(`a system call at ${hex(at)}, which is not memory`);
    }
    const [number, first, address, length] = Array.from({ length: 4 }, (_, i) => {
      const [low, high] = this.#word(at + 8 * i);
      return high * 2 ** 32 + low;
    });
    if (number === SYSCALL.exit) return this.#exit(first! >>> 0);
    let result = ENOSYS;
    if (number === SYSCALL.write && (first === 1 || first === 2)) {
      const bytes = memory.bytes(address!, Math.min(length!, WRITE_MAX));
      if (bytes !== undefined) console.write(bytes);
      result = bytes?.length ?? EFAULT;
    } else {
      this.#refuse(`system call ${number}`);
    }
    this.#store(at, result >>> 0, result < 0 ? 0xffff_ffff : 0);
    this.#answer = [1, 0];
  }

  #exit(code: number): void {
    const { events, exit } = this.#options;
    if (events.wants("machine")) events.emit({ kind: "machine", step: code === 0 ? "pass" : "fail", code });
    exit(code);
  }

  /** Answers, once the guest has taken the last answer. */
  #reply(): void {
    const { fromhost, console } = this.#options;
    if (fromhost === undefined || (this.#answer === undefined && !this.#reading)) return;
    const [low, high] = this.#word(fromhost);
    if (low !== 0 || high !== 0) return;
    if (this.#answer === undefined) {
      const [key] = console.read(1);
      if (key === undefined) return;
      this.#reading = false;
      // Bit 8 says that there is a character (fesvr, device `bcd`).
      this.#answer = [0x100 | key, HTIF_DEVICE.console << 24 | CONSOLE.read << 16];
    }
    this.#store(fromhost, ...this.#answer);
    this.#answer = undefined;
  }

  /** The two halves of 8 bytes; zeros where there is no memory. */
  #word(at: number): readonly [low: number, high: number] {
    const { memory } = this.#options;
    return [Math.max(0, memory.read(at, 4)), Math.max(0, memory.read(at + 4, 4))];
  }

  #store(at: number, low: number, high: number): void {
    const { memory } = this.#options;
    memory.write(at, 4, low);
    memory.write(at + 4, 4, high);
  }

  /** The guest asks for what is not there: told, and otherwise nothing. */
  #refuse(what: string): void {
    const { events } = this.#options;
    if (!events.wants("violation")) return;
    events.emit({
      kind: "violation",
      device: "htif",
      spec: "HTIF",
      id: "htif-command",
      what: `${what}: HTIF here ends runs, prints and reads keys`,
    });
  }
}
