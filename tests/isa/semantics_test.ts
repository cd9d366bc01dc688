/**
 * What instructions do, against results that come from outside: `recorded/README.md` says from where. Every engine has
 * to compute them.
 */
import { assert, assertEquals } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { Reference } from "../../vm/hart/reference.ts";
import { floatRegisterNumber, registerNumber } from "../../vm/isa/names.ts";
import { type Isa, parseIsa } from "../../vm/isa/table.ts";
import { BARE, BareMachine, engineNames } from "../support/engine.ts";

/** One assembly text and what it did, see `recorded/README.md`. */
interface Group {
  readonly name: string;
  readonly asm: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly memory?: { readonly base: string; readonly bytes: number };
  readonly rows: readonly (readonly string[])[];
}
interface Recording {
  readonly tool: string;
  readonly xlen: 32 | 64;
  readonly isa: string;
  readonly groups: readonly Group[];
}

/** Where the instruction is put, and where `mem` is. */
const CODE = BigInt(BARE.ram) + 0x2000n;
const MEM = BigInt(BARE.ram) + 0x8000n;
/** What a register that is only an output held before. */
const BEFORE = 0x5a5n;

function read(name: string): Recording {
  return JSON.parse(Deno.readTextFileSync(new URL(`./recorded/${name}.json`, import.meta.url)));
}

/** Rows without recorded results, but for those that compute nothing. */
function unrecorded(isa: Isa, recordings: readonly Recording[]): string[] {
  const seen = new Set(recordings.filter((r) => r.xlen === isa.xlen).flatMap((r) => r.groups.map((g) => g.name)));
  const computing = isa.rows.filter((r) => r.class !== "system" && r.class !== "fence" && r.name !== "c.nop");
  return computing.map((r) => r.name).filter((name) => !seen.has(name));
}

/** How many instructions the reference executor does while `body` runs: an engine's slow path. */
function referenceSteps(body: () => void): number {
  const original = Reference.prototype.step;
  let count = 0;
  Reference.prototype.step = function (this: Reference): void {
    count++;
    original.call(this);
  };
  try {
    body();
  } finally {
    Reference.prototype.step = original;
  }
  return count;
}

/** The column `name-of`: the register, and what its cell is relative to. */
function relative(column: string): { name: string; origin: bigint } {
  const [name, of] = column.split("-") as [string, string | undefined];
  return { name, origin: of === "pc" ? CODE : of === "mem" ? MEM : 0n };
}

class Run {
  readonly #machine: BareMachine;
  readonly #assembler: Assembler;
  readonly #mask: bigint;

  constructor(machine: BareMachine, isa: Isa) {
    this.#machine = machine;
    this.#assembler = new Assembler(isa);
    this.#mask = (1n << BigInt(isa.xlen)) - 1n;
  }

  /** Does one row of a group; the cells of its output columns. */
  outputs(group: Group, cells: readonly string[]): string[] {
    const { hart } = this.#machine;
    const input = new Map(group.inputs.map((column, i) => [column, BigInt(cells[i]!)]));
    this.#place(group, input.get("imm"));
    for (const column of group.outputs) {
      const register = registerNumber(relative(column).name);
      if (register !== undefined) hart.setX(register, BEFORE);
    }
    if (group.memory !== undefined) hart.setX(registerNumber(group.memory.base)!, MEM);
    for (const [column, value] of input) {
      if (column === "imm") continue;
      if (column === "mem") this.#writeMem(value, group.memory!.bytes);
      else this.#set(column, value);
    }
    hart.pc = CODE;
    this.#machine.run(group.asm.split(";").length);
    assertEquals(hart.lastTrap, undefined, `${group.asm} trapped`);
    return group.outputs.map((column) => this.#get(column, group));
  }

  /** Puts the group's instructions at `CODE`. */
  #place(group: Group, imm: bigint | undefined): void {
    const jump = /\{imm\}$/.test(group.asm) && group.outputs.includes("npc-pc");
    const text = imm === undefined ? group.asm : group.asm.replace("{imm}", String(jump ? CODE + imm : imm));
    const { bytes } = this.#assembler.program(text, CODE);
    assert(this.#machine.memory.copyIn(Number(CODE), bytes));
  }

  #set(column: string, value: bigint): void {
    const { name, origin } = relative(column);
    const register = registerNumber(name);
    const csr = csrNumber(name);
    const float = floatRegisterNumber(name);
    if (register !== undefined) this.#machine.hart.setX(register, value + origin);
    else if (float !== undefined) this.#machine.hart.setF(float, value);
    else if (csr !== undefined) this.#machine.hart.csrRow(csr)!.write!(this.#machine.hart, value);
    else throw new Error(`unknown column ${column}`);
  }

  #get(column: string, group: Group): string {
    const { hart } = this.#machine;
    if (column === "mem") return hexadecimal(this.#readMem(group.memory!.bytes));
    const { name, origin } = relative(column);
    if (name === "npc") return String(BigInt.asIntN(hart.xlen, hart.pc - CODE));
    const float = floatRegisterNumber(name);
    if (float !== undefined) return hexadecimal(hart.f(float));
    const register = registerNumber(name);
    const value = register === undefined ? hart.csr(csrNumber(name)!)! : hart.x(register);
    return origin === 0n ? hexadecimal(value & this.#mask) : String(BigInt.asIntN(hart.xlen, value - origin));
  }

  #writeMem(value: bigint, bytes: number): void {
    const cells = Array.from({ length: bytes }, (_, i) => Number((value >> BigInt(8 * i)) & 0xffn));
    assert(this.#machine.memory.copyIn(Number(MEM), Uint8Array.from(cells)));
  }
  #readMem(bytes: number): bigint {
    const cells = this.#machine.memory.bytes(Number(MEM), bytes)!;
    return cells.reduceRight((value, byte) => (value << 8n) | BigInt(byte), 0n);
  }
}

function hexadecimal(value: bigint): string {
  return `0x${value.toString(16)}`;
}

const FILES = ["rv64", "rv64_b", "rv64_f", "rv64_d", "rv64_zfh", "rv32", "rv32_b", "rv32_fd"];

/** Rows that emitted code leaves to the reference executor: what rounds to binary16, and its minimum and maximum. */
const LEFT = /^(f(add|sub|mul|div|sqrt|min|max|n?m(add|sub))\.h|fcvt\.h\.\w+)$/;

const recordings = new Map(FILES.map((file) => [file, read(file)]));

for (const [file, recording] of recordings) {
  const isa = parseIsa(recording.isa);

  Deno.test(`${file}: every instruction that computes has recorded results`, () => {
    assertEquals(unrecorded(isa, [...recordings.values()]), []);
  });

  for (const engine of engineNames) {
    const machine = new BareMachine(engine, isa);
    const run = new Run(machine, isa);
    const check = (group: Group): void => {
      machine.load(new Uint8Array());
      // Where mstatus.FS is Dirty already, emitted code need not leave.
      if (isa.extensions.includes("f")) machine.hart.dirtyFloat();
      for (const cells of group.rows) {
        const state = group.inputs.map((column, i) => `${column} = ${cells[i]}`).join(", ");
        assertEquals(run.outputs(group, cells), cells.slice(group.inputs.length), `${group.asm} with ${state}`);
      }
    };
    for (const name of new Set(recording.groups.map((g) => g.name))) {
      const row = isa.rows.find((r) => r.name === name)!;
      Deno.test(`${file} ${name} (${row.spec}) computes what was recorded, on the ${engine}`, () => {
        const groups = recording.groups.filter((g) => g.name === name);
        const slow = referenceSteps(() => groups.forEach((group) => check(group)));
        // Otherwise it would be the reference executor that is tested twice. An access not seen before is its business.
        const rows = groups.reduce((sum, g) => sum + g.rows.length, 0);
        if (engine !== "reference" && row.class !== "csr" && !LEFT.test(name)) {
          // Half of the recorded arithmetic rounds otherwise than to nearest even, or has a result that is subnormal.
          assert(slow <= rows * (row.class === "float" ? 0.85 : 0.5), `${slow} of ${rows} were not emitted`);
        }
      });
    }
  }
}
