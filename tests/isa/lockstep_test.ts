/**
 * Engines against the reference executor on random programs: after every stretch of steps registers, pc, privilege,
 * CSRs, memory, what a device was asked and the records of retired instructions must be the same. Some run under page
 * tables and PMP entries that change between stretches; some with watched pages, and what is told of these and of fences
 * must be the same.
 *
 * A failing case says its seed and the shortest program found that still fails. `LOCKSTEP_SEED=n` runs one seed,
 * `LOCKSTEP_COUNT=n` that many.
 */
import { assert, assertEquals } from "@std/assert";
import { RECORD, RecordFlag, RecordKind } from "../../vm/events.ts";
import { csrTable, Interrupt } from "../../vm/hart/csr.ts";
import type { PmpEntries } from "../../vm/hart/pmp.ts";
import { Reference } from "../../vm/hart/reference.ts";
import { Decoder } from "../../vm/isa/decode.ts";
import { type Isa, parseIsa } from "../../vm/isa/table.ts";
import { BARE, BareMachine, engineNames } from "../support/engine.ts";
import { Random } from "../support/random.ts";
import { RandomPaging } from "../support/random_paging.ts";
import { buildProgram, type BuiltProgram, randomProgram, shrinkProgram } from "../support/random_program.ts";
import { RandomWatches } from "../support/random_watches.ts";
import { everything } from "./words.ts";

/** How often a program is run in one machine: what was found hot the first time is translated code the next time. */
const ROUNDS = 4;
/** Most steps of one program. */
const STEPS = 3000;
const COUNT = Number(Deno.env.get("LOCKSTEP_COUNT") ?? 40);
const ONLY = Deno.env.get("LOCKSTEP_SEED");

/** A machine and what it has recorded. */
class Side {
  readonly machine: BareMachine;
  readonly records: string[] = [];
  readonly #csrs: readonly number[];

  constructor(name: typeof engineNames[number], isa: Isa, pmpEntries: PmpEntries = 0) {
    this.machine = new BareMachine(name, isa, pmpEntries);
    // Constants cannot differ; what can is written by someone or counts.
    this.#csrs = [...csrTable(isa.xlen, isa.extensions).values()].filter((c) =>
      c.write !== undefined || c.number >> 4 === 0xc0
    )
      .map((c) => c.number);
    this.machine.events.onRecords((view, count) => {
      for (let i = 0; i < count; i++) this.records.push(recordText(view, i));
    });
  }

  load(program: BuiltProgram, record: boolean): void {
    this.machine.record(record);
    this.machine.load(program.bytes);
    this.records.length = 0;
  }

  /** Everything that must be equal, by name. */
  state(): Record<string, unknown> {
    const { hart, clock, device, records } = this.machine;
    records.drain();
    return {
      steps: hart.steps,
      time: clock.now,
      pc: hart.pc.toString(16),
      privilege: hart.privilege,
      waiting: hart.waiting,
      death: hart.death?.what,
      reservation: hart.reservation,
      ...Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`x${n}`, hart.x(n).toString(16)])),
      ...Object.fromEntries(Array.from({ length: 32 }, (_, n) => [`f${n}`, hart.f(n).toString(16)])),
      ...Object.fromEntries(this.#csrs.map((n) => [hart.csrRow(n)!.name, hart.csr(n)!.toString(16)])),
      lastTrap: hart.lastTrap === undefined ? undefined : Object.values(hart.lastTrap).join(" "),
      device: device.log.join("; "),
      records: this.records.length,
    };
  }
}

/** One record, without the fields that its kind and flags leave undefined. */
function recordText(view: DataView, index: number): string {
  const at = index * RECORD.bytes;
  const kind = view.getUint8(at + RECORD.kind);
  const flags = view.getUint8(at + RECORD.flags);
  const wide = (field: number) => view.getBigUint64(at + field, true).toString(16);
  const parts = [`kind ${kind} pc ${wide(RECORD.pc)} mode ${view.getUint8(at + RECORD.privilege)}`];
  parts.push(`step ${wide(RECORD.step)} hart ${view.getUint8(at + RECORD.hart)}`);
  if (kind === RecordKind.Csr) {
    return [...parts, `csr ${view.getUint16(at + RECORD.csr, true)}`, wide(RECORD.value)].join();
  }
  parts.push(`insn ${view.getUint32(at + RECORD.insn, true).toString(16)}`);
  if (kind === RecordKind.Trapped) {
    return [...parts, `cause ${view.getUint16(at + RECORD.csr, true)}`, `tval ${wide(RECORD.value)}`].join();
  }
  if (flags & RecordFlag.Rd) {
    parts.push(`${flags & RecordFlag.Float ? "f" : "x"}${view.getUint8(at + RECORD.rd)} = ${wide(RECORD.value)}`);
  }
  const size = view.getUint8(at + RECORD.size);
  if (flags & (RecordFlag.Load | RecordFlag.Store)) {
    parts.push(`flags ${flags}, ${size} at ${wide(RECORD.addr)}: ${wide(RECORD.data)}`);
  }
  return parts.join();
}

/** The first difference between two machines that run `program`; undefined if there is none. */
function difference(program: BuiltProgram, seed: number, a: Side, b: Side): string | undefined {
  const random = new Random(seed);
  const paging = a.machine.hart.addressing.pmp.entries === 0
    ? undefined
    : new RandomPaging(seed, [a.machine, b.machine]);
  const record = random.chance(40);
  for (const side of [a, b]) side.load(program, record);
  const watches = seed % 3 === 0 ? new RandomWatches(seed, [a.machine, b.machine]) : undefined;
  try {
    return firstDisagreement(program, random, a, b, paging, watches);
  } finally {
    watches?.end();
  }
}

/** Runs both machines in the same stretches until they differ or the program has ended often enough. */
function firstDisagreement(
  program: BuiltProgram,
  random: Random,
  a: Side,
  b: Side,
  paging: RandomPaging | undefined,
  watches: RandomWatches | undefined,
): string | undefined {
  paging?.begin();
  const lines = [Interrupt.MTI, Interrupt.MEI, Interrupt.SEI, Interrupt.MSI, Interrupt.STI];
  let rounds = 0;
  for (let steps = 0; steps < ROUNDS * STEPS;) {
    const stretch = random.chance(40) ? random.between(1, 3) : random.between(4, 200);
    for (const side of [a, b]) side.machine.run(stretch);
    steps += stretch;
    const found = compare(a, b);
    if (found !== undefined) return `after ${a.machine.hart.steps} steps: ${found}`;
    const [want, got] = [watches?.told(0), watches?.told(1)];
    if (want?.fences !== got?.fences) return `fences are ${got?.fences}, the reference's ${want?.fences}`;
    if (want?.accesses !== got?.accesses) return `told ${got?.accesses}, the reference's ${want?.accesses}`;
    paging?.change();
    watches?.change();
    const { hart } = a.machine;
    if (hart.death !== undefined) return undefined;
    if (hart.pc === program.end) {
      if (++rounds === ROUNDS) return undefined;
      for (const side of [a, b]) side.machine.hart.pc = BigInt(BARE.ram);
    }
    const line = hart.waiting ? Interrupt.MTI : random.pick(lines);
    const level = hart.waiting || random.chance(50);
    if (hart.waiting || random.chance(10)) {
      for (const side of [a, b]) side.machine.hart.line(line).set(level);
      // Nothing else comes to wake a hart that does not want this interrupt.
      if (hart.waiting && (hart.stored(0x304) & (1n << BigInt(line))) === 0n) return undefined;
    }
  }
  return undefined;
}

function compare(a: Side, b: Side): string | undefined {
  const [want, got] = [a.state(), b.state()];
  for (const key of Object.keys(want)) {
    if (want[key] !== got[key]) return `${key} is ${got[key]}, the reference's is ${want[key]}`;
  }
  const record = a.records.findIndex((r, i) => r !== b.records[i]);
  if (record >= 0) return `record ${record} is ${b.records[record]}, the reference's is ${a.records[record]}`;
  a.records.length = b.records.length = 0;
  const [memory, other] = [a.machine.ram, b.machine.ram];
  const at = firstDifference(memory, other);
  return at < 0 ? undefined : `RAM at +0x${at.toString(16)} is ${other[at]}, the reference's is ${memory[at]}`;
}

function firstDifference(a: Uint8Array, b: Uint8Array): number {
  const wide = (bytes: Uint8Array) => new BigUint64Array(bytes.buffer, bytes.byteOffset, bytes.length / 8);
  const [x, y] = [wide(a), wide(b)];
  for (let i = 0; i < x.length; i++) {
    if (x[i] !== y[i]) return a.findIndex((byte, j) => j >= 8 * i && byte !== b[j]);
  }
  return -1;
}

/** Compares an engine with the reference on programs for `isa`; the seeds begin at 1. */
function agree(engine: typeof engineNames[number], isa: Isa, pmpEntries: PmpEntries): void {
  const a = new Side("reference", isa, pmpEntries);
  const b = new Side(engine, isa, pmpEntries);
  const seeds = ONLY === undefined ? Array.from({ length: COUNT }, (_, i) => i + 1) : [Number(ONLY)];
  for (const seed of seeds) {
    const program = randomProgram(seed, isa);
    const found = difference(buildProgram(program), seed, a, b);
    if (found === undefined) continue;
    const fails = (p: typeof program) => difference(buildProgram(p), seed, a, b) !== undefined;
    const small = buildProgram(shrinkProgram(program, fails));
    throw new Error(`LOCKSTEP_SEED=${seed}: ${found}\nshrunk: ${difference(small, seed, a, b)}\n${small.listing}`);
  }
}

for (const name of ["rv64imac", "rv32imac"]) {
  const isa = parseIsa(`${name}_sstc_svadu_svinval_svnapot_svpbmt`);
  for (const engine of engineNames.slice(1)) {
    Deno.test(`${name}: the ${engine} and the reference agree on random programs under page tables and PMP`, () => {
      agree(engine, isa, 16);
    });
  }
}

for (const text of [everything(64), everything(32), "rv64imac", "rv32imac", "rv64ima", "rv32ima", "rv32imafc"]) {
  const isa = parseIsa(text);
  const name = text.length > 20 ? `rv${isa.xlen} with everything` : text;
  for (const engine of engineNames.slice(1)) {
    Deno.test(`${name}: the ${engine} and the reference agree on random programs`, () => agree(engine, isa, 0));
  }

  Deno.test(`${name}: random programs reach every row, every mode and most kinds of trap`, () => {
    const side = new Side("reference", isa);
    const decoder = new Decoder(isa);
    const rows = new Set<string>();
    const modes = new Set<number>();
    const causes = new Set<string>();
    side.machine.events.on(
      "trap",
      ({ interrupt, cause }) => causes.add(`${interrupt ? "interrupt" : "trap"} ${cause}`),
    );
    const step = Reference.prototype.step;
    Reference.prototype.step = function (this: Reference): void {
      const { hart } = side.machine;
      const bytes = side.machine.memory.bytes(Number(hart.pc), 4);
      if (bytes !== undefined) {
        const word = new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true);
        rows.add(decoder.decode(word)?.row.name ?? "illegal");
      }
      modes.add(hart.privilege);
      step.call(this);
    };
    try {
      const reached = () => isa.rows.every((r) => rows.has(r.name));
      // A large ISA needs more programs until each of its rows has had its turn.
      for (let seed = 1; seed <= 60 || (seed <= 2 * isa.rows.length && !reached()); seed++) {
        const program = buildProgram(randomProgram(seed, isa));
        side.load(program, false);
        for (let i = 0; i < STEPS && side.machine.hart.pc !== program.end; i += 100) {
          if (i % 500 === 0) side.machine.hart.line(Interrupt.MTI).set(i % 1000 === 0);
          side.machine.run(100);
        }
      }
    } finally {
      Reference.prototype.step = step;
    }
    assertEquals(isa.rows.map((r) => r.name).filter((n) => !rows.has(n)), []);
    assert(rows.has("illegal"));
    assertEquals([...modes].sort(), [0, 1, 3]);
    for (const cause of [1, 2, 3, 4, 5, 6, 7, 8, 9, 11]) assert(causes.has(`trap ${cause}`), `no trap ${cause}`);
    assert([...causes].some((c) => c.startsWith("interrupt")), "no interrupt");
  });
}

Deno.test("a random program is the same each time, and other seeds give others", () => {
  const isa = parseIsa("rv64imac");
  const listing = (seed: number) => buildProgram(randomProgram(seed, isa)).listing;
  assertEquals(listing(5), listing(5));
  assert(listing(5) !== listing(6));
});

Deno.test("shrinking finds the one instruction that matters", () => {
  const isa = parseIsa("rv64imac");
  const has = (listing: string) => /\b(div|mul)/.test(listing);
  const program = [1, 2, 3, 4, 5, 6, 7, 8].map((s) => randomProgram(s, isa)).find((p) => has(buildProgram(p).listing))!;
  const small = buildProgram(shrinkProgram(program, (p) => has(buildProgram(p).listing)));
  // The jump to the end stays.
  assertEquals(small.listing.split("\n").length, 2);
});
