/**
 * What an image executes, line by line, and recordings of it made with other simulators: `tests/hart/recorded/README.md`
 * says how. A recording has the first lines in full and a hash of each thousand.
 */
import { Privilege, RECORD, RecordFlag, RecordKind } from "../../vm/events.ts";
import { CSR } from "../../vm/hart/csr_numbers.ts";
import { readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { type EngineName, Machine } from "../../vm/machine.ts";
import { CommitWriter } from "../../vm/trace/commit.ts";
import { TestPort } from "./char_port.ts";

/** Lines per hash. */
export const BLOCK = 1000;
/** Lines kept in full. */
export const FIRST = 40;

/**
 * `states`: `pc privilege xN=value` per retired instruction, with the register if its value changed, and `trap cause epc`
 * or `interrupt cause epc`; all numbers but `privilege` hexadecimal. `commits`: lines of Spike's commit log.
 */
export type LineKind = "states" | "commits";

/** A recorded run. */
export interface Recording {
  /** Name in `images/`, without `.elf`. */
  readonly image: string;
  /** SHA-256 of that file. */
  readonly sha256: string;
  /** The simulator and its version. */
  readonly tool: string;
  readonly kind: LineKind;
  readonly xlen: 32 | 64;
  /** Bytes of RAM. */
  readonly memory: number;
  /** The device tree the image was handed, base64, and its address. */
  readonly deviceTree: string;
  readonly treeAt: number;
  /** Symbol where the recording begins, at its first execution. */
  readonly from: string;
  /** Whether the run ended there, or is only recorded so far. */
  readonly ended: boolean;
  /** Number of lines. */
  readonly count: number;
  readonly first: readonly string[];
  /** Of each thousand lines, the last block shorter: 16 hexadecimal digits of their SHA-256, each with its newline. */
  readonly blocks: readonly string[];
}

const images = new URL("../../images/", import.meta.url);

/** `images/NAME.elf`. */
export function imageBytes(name: string): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`${name}.elf`, images));
}

/** SHA-256, hexadecimal. */
export async function sha256(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

/** Hashes of lines, by block. */
export async function blockHashes(lines: readonly string[]): Promise<string[]> {
  const encoder = new TextEncoder();
  const hashes: string[] = [];
  for (let i = 0; i < lines.length; i += BLOCK) {
    const text = lines.slice(i, i + BLOCK).map((line) => `${line}\n`).join("");
    hashes.push((await sha256(encoder.encode(text))).slice(0, 16));
  }
  return hashes;
}

/** Where a symbol of an image is. */
export function symbolAddress(image: string, symbol: string): bigint {
  const found = readImage(imageBytes(image), { name: image }).symbols.addressOf(symbol);
  if (found === undefined) throw new Error(`${image}: there is no symbol ${symbol}`);
  return found;
}

/** Runs an image with a recording's RAM and device tree; up to `count` lines from `from` on. */
export async function traceImage(
  options: Pick<Recording, "image" | "kind" | "xlen" | "memory" | "deviceTree" | "treeAt" | "from">,
  engine: EngineName,
  count: number,
): Promise<string[]> {
  const { xlen } = options;
  const isa = parseIsa(`rv${xlen}imac`);
  const machine = new Machine({ isa, memorySize: options.memory, engine, uart: new TestPort(), slots: [] });
  const image = readImage(imageBytes(options.image), { name: options.image, xlen });
  machine.load(image);
  const lines = new TraceLines(options.kind, xlen, symbolAddress(options.image, options.from), count);
  machine.events.onRecords((view, records) => lines.records(view, records));
  // Six instructions of the reset vector put the address of the tree into a1.
  await machine.run({ steps: 6 });
  if (!machine.memory.load(options.treeAt, Uint8Array.fromBase64(options.deviceTree))) {
    throw new Error("the recorded device tree does not fit into memory");
  }
  const hart = machine.harts[0]!;
  hart.setX(11, BigInt(options.treeAt));
  if (options.kind === "states") {
    // A breakpoint's tval may be its address or zero (priv §3.1.16): QEMU has zero.
    machine.events.on("trap", ({ interrupt, cause, to }) => {
      if (!interrupt && cause === 3) hart.store(to === Privilege.M ? CSR.mtval : CSR.stval, 0n);
    });
  }
  for (let steps = 1 << 14; !lines.full; steps += 1 << 14) {
    const stop = await machine.run({ steps });
    if (stop.reason !== "limit") break;
  }
  return lines.take();
}

/** Turns records into lines, from the first execution of an address on. */
class TraceLines {
  readonly #kind: LineKind;
  readonly #from: bigint;
  readonly #count: number;
  readonly #registers = new BigUint64Array(32);
  readonly #commits: CommitWriter;
  readonly #lines: string[] = [];
  #begun = false;

  constructor(kind: LineKind, xlen: 32 | 64, from: bigint, count: number) {
    this.#kind = kind;
    this.#from = from;
    this.#count = count;
    const decoder = new TextDecoder();
    this.#commits = new CommitWriter({
      write: (bytes) => void this.#lines.push(...decoder.decode(bytes).split("\n").slice(0, -1)),
    }, { xlen });
  }

  get full(): boolean {
    return this.#lines.length >= this.#count;
  }

  take(): string[] {
    this.#commits.flush();
    return this.#lines.slice(0, this.#count);
  }

  records(view: DataView<ArrayBuffer>, count: number): void {
    if (this.#kind === "commits") return this.#commit(view, count);
    for (let i = 0; i < count; i++) this.#state(view, i * RECORD.bytes);
  }

  #commit(view: DataView<ArrayBuffer>, count: number): void {
    let first = 0;
    while (!this.#begun && first < count) {
      this.#begun = view.getBigUint64(first * RECORD.bytes + RECORD.pc, true) === this.#from;
      if (!this.#begun) first++;
    }
    if (first === count) return;
    // The writer takes batches from a view's start.
    const bytes = new Uint8Array(view.buffer, view.byteOffset + first * RECORD.bytes, (count - first) * RECORD.bytes);
    this.#commits.records(new DataView(bytes.slice().buffer), count - first);
    this.#commits.flush();
  }

  #state(view: DataView, at: number): void {
    const kind = view.getUint8(at + RECORD.kind);
    if (kind === RecordKind.Csr) return;
    const pc = view.getBigUint64(at + RECORD.pc, true);
    this.#begun ||= pc === this.#from;
    if (kind === RecordKind.Trapped) {
      const cause = view.getUint16(at + RECORD.csr, true);
      const what = (cause & 0x8000) !== 0 ? "interrupt" : "trap";
      if (this.#begun) this.#lines.push(`${what} ${(cause & 0x7fff).toString(16)} ${pc.toString(16)}`);
      return;
    }
    const rd = view.getUint8(at + RECORD.rd);
    const value = view.getBigUint64(at + RECORD.value, true);
    let changed = "";
    if ((view.getUint8(at + RECORD.flags) & RecordFlag.Rd) !== 0 && rd !== 0 && this.#registers[rd] !== value) {
      this.#registers[rd] = value;
      changed = ` x${rd}=${value.toString(16)}`;
    }
    if (this.#begun) this.#lines.push(`${pc.toString(16)} ${view.getUint8(at + RECORD.privilege)}${changed}`);
  }
}
