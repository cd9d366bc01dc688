/**
 * Two whole machines that boot the same on different engines and must stay the same: registers, CSRs, RAM and what they
 * print, compared at equal step counts. In windows the reference executor takes the first one's place.
 */
import { Buffer } from "node:buffer";
import type { BootFiles } from "../../vm/boot/boot.ts";
import { planBoot } from "../../vm/boot/plan.ts";
import { RAM_BASE } from "../../vm/board.ts";
import { DEFAULT_ISA } from "../../vm/cli/default_isa.ts";
import { csrTable } from "../../vm/hart/csr.ts";
import { ReferenceEngine } from "../../vm/hart/reference_engine.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { type EngineName, Machine } from "../../vm/machine.ts";
import { Random } from "./random.ts";

const PAGE = 4096;

/** What is compared, and how often. */
export interface TwinOptions {
  readonly files: BootFiles;
  readonly memorySize: number;
  /** The engine that is compared with the interpreter. */
  readonly engine: EngineName;
  /** Where stretches and windows begin and end follows from it. */
  readonly seed: number;
  /** Steps at which the comparison ends, if the guest has not by then. */
  readonly steps: number;
  /** How many stretches, about, and how many windows of the reference executor. */
  readonly stretches: number;
  readonly windows: number;
  /** Called once both machines have come to a place where they are compared; a test of the test spoils something here. */
  readonly at?: (steps: number, machines: readonly [Machine, Machine]) => void;
}

/** What was compared. */
export interface TwinResult {
  readonly steps: number;
  readonly compared: number;
  readonly windows: number;
  /** How the guest ended; undefined if the steps did. */
  readonly reason: string | undefined;
  readonly console: string;
  /** The first difference, and the steps between which it came about. */
  readonly difference: string | undefined;
}

/** Steps of a window. */
const WINDOW = { least: 100, most: 2000 } as const;

/** One of the two, and what it has printed. */
class Twin {
  readonly machine: Machine;
  console = "";

  constructor({ files, memorySize }: TwinOptions, engine: EngineName) {
    const decoder = new TextDecoder("latin1");
    this.machine = new Machine({
      isa: parseIsa(DEFAULT_ISA[64]),
      memorySize,
      engine,
      uart: {
        write: (bytes) => void (this.console += decoder.decode(bytes)),
        read: () => new Uint8Array(0),
        onReadable() {},
      },
      slots: [],
    });
    this.machine.load(planBoot(files, { xlen: 64, memorySize }));
  }

  /** Everything but RAM that must be equal, by name. */
  state(csrs: readonly number[]): Record<string, unknown> {
    const hart = this.machine.harts[0]!;
    return {
      steps: this.machine.clock.steps,
      "hart's steps": hart.steps,
      pc: hart.pc.toString(16),
      privilege: hart.privilege,
      waiting: hart.waiting,
      reservation: hart.reservation,
      ...Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`x${n}`, hart.x(n).toString(16)])),
      ...Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`f${n}`, hart.f(n).toString(16)])),
      ...Object.fromEntries(csrs.map((n) => [hart.csrRow(n)!.name, hart.csr(n)!.toString(16)])),
      console: this.console,
    };
  }

  get ram(): Buffer {
    const { buffer, byteOffset, length } = this.machine.memory.bytes(RAM_BASE, this.#ramSize)!;
    return Buffer.from(buffer, byteOffset, length);
  }
  get #ramSize(): number {
    return this.machine.memory.regions.find(({ name }) => name === "ram")!.size;
  }

  /** Runs to a step; says how the guest ended if it did. */
  async run(steps: number): Promise<string | undefined> {
    const { reason } = await this.machine.run({ steps });
    return reason === "limit" ? undefined : reason;
  }

  /** The same on the reference executor. */
  async runReference(steps: number): Promise<string | undefined> {
    const { engines, harts } = this.machine;
    const own = engines.current;
    engines.current = harts.map((hart) => new ReferenceEngine(hart));
    try {
      return await this.run(steps);
    } finally {
      engines.current = own;
    }
  }
}

/** Runs both. A difference is looked for again in ever smaller steps, from where they were the same last. */
export async function compareTwins(options: TwinOptions): Promise<TwinResult> {
  const first = await compareOnce(options, stretchesOf(options));
  if (first.difference === undefined) return first;
  let { from, to } = first;
  let { difference } = first;
  for (let parts = 16; to - from > 1 && parts <= 4096; parts *= 16) {
    const stretch = Math.ceil((to - from) / 16);
    const before = stretchesOf(options).filter(({ end }) => end <= from);
    const fine = Array.from({ length: Math.ceil((to - from) / stretch) }, (_, i) => ({
      end: Math.min(to, from + (i + 1) * stretch),
      reference: false,
    }));
    const again = await compareOnce(options, [...before, { end: from, reference: false }, ...fine]);
    // Other slices, another run: it may not come about again.
    if (again.difference === undefined) break;
    ({ from, to, difference } = again);
  }
  return { ...first, difference: `seed ${options.seed}: between steps ${from} and ${to}: ${difference}` };
}

/** Up to where the machines run, on which engine the first one does. */
interface Stretch {
  readonly end: number;
  readonly reference: boolean;
}

/** The stretches: of uneven lengths, windows spread evenly among them. */
function stretchesOf({ seed, steps, stretches, windows }: TwinOptions): Stretch[] {
  const random = new Random(seed);
  const list: Stretch[] = [];
  const mean = steps / stretches;
  let taken = 0;
  for (let at = 0, i = 0; at < steps; i++) {
    at = Math.min(steps, at + Math.ceil(mean / 2 + random.below(Math.ceil(mean))));
    list.push({ end: at, reference: false });
    if (taken >= windows || taken * stretches > i * windows) continue;
    taken++;
    at = Math.min(steps, at + random.between(WINDOW.least, WINDOW.most));
    list.push({ end: at, reference: true });
  }
  return list;
}

async function compareOnce(
  options: TwinOptions,
  stretches: readonly Stretch[],
): Promise<TwinResult & { readonly from: number; readonly to: number }> {
  const a = new Twin(options, "interpreter");
  const b = new Twin(options, options.engine);
  const isa = a.machine.isa;
  // Constants cannot differ; what can is written by someone or counts.
  const csrs = [...csrTable(64, isa.extensions).values()]
    .filter(({ write, number }) => write !== undefined || number >> 4 === 0xc0)
    .map(({ number }) => number);
  let compared = 0;
  let windows = 0;
  let from = 0;
  for (const { end, reference } of stretches) {
    if (end <= a.machine.clock.steps) continue;
    const ends = [reference ? await a.runReference(end) : await a.run(end), await b.run(end)];
    if (reference) windows++;
    options.at?.(end, [a.machine, b.machine]);
    compared++;
    const steps = a.machine.clock.steps;
    const difference = ends[0] !== ends[1]
      ? `one ended (${ends[0]}), the other did not (${ends[1]})`
      : differenceOf(a, b, csrs);
    const result = { steps, compared, windows, reason: ends[0], console: a.console, difference, from, to: steps };
    if (difference !== undefined || ends[0] !== undefined) return result;
    from = steps;
  }
  return {
    steps: a.machine.clock.steps,
    compared,
    windows,
    reason: undefined,
    console: a.console,
    difference: undefined,
    from,
    to: from,
  };
}

function differenceOf(a: Twin, b: Twin, csrs: readonly number[]): string | undefined {
  const [want, got] = [a.state(csrs), b.state(csrs)];
  for (const key of Object.keys(want)) {
    if (want[key] !== got[key]) return `${key} is ${got[key]}, the interpreter's is ${want[key]}`;
  }
  const [memory, other] = [a.ram, b.ram];
  if (memory.equals(other)) return undefined;
  let page = 0;
  while (memory.subarray(page, page + PAGE).equals(other.subarray(page, page + PAGE))) page += PAGE;
  const at = memory.subarray(page, page + PAGE).findIndex((byte, i) => byte !== other[page + i]) + page;
  return `RAM at 0x${(RAM_BASE + at).toString(16)} is ${other[at]}, the interpreter's is ${memory[at]}`;
}
