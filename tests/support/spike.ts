/**
 * Spike as an outside opinion on random programs: what it commits, and what of a program means the same on both.
 *
 * Spike's machine has the same RAM and other things elsewhere, so a program is first made portable: what touches a
 * device, ROM or the addresses where Spike has its own is left out, and so is what reads a register that may differ.
 */
import { RECORD, RecordFlag, RecordKind } from "../../vm/events.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { csrName } from "../../vm/isa/csr_names.ts";
import type { Isa } from "../../vm/isa/table.ts";
import { CommitWriter } from "../../vm/trace/commit.ts";
import { MemorySink } from "../../vm/trace/sink.ts";
import { buildElf } from "./elf_builder.ts";
import { BARE, BareMachine } from "./engine.ts";
import { FRAME } from "./program_frame.ts";
import { atomPlaces, buildProgram, type BuiltProgram, type RandomProgram, without } from "./random_program.ts";

/** A page of Spike's own, out of the program's way but in reach of a jump: it sets up the machine and ends the run. */
const STUB = BigInt(BARE.ram) + 0x2_0000n;
const STUB_SIZE = 0x1000n;
const TOHOST = STUB + 0x800n;

/** Registers that mean the same everywhere; others may hold other things on another implementation. */
const PORTABLE =
  ("mscratch sscratch mepc sepc mcause scause mtval stval mstatus sstatus mie sie mip sip mideleg medeleg mcounteren " +
    "scounteren mcountinhibit minstret instret mhartid mvendorid mimpid mconfigptr mtvec stvec").split(" ");

/** Bits that Spike lets be written and this hart does not, or the other way round; the manual allows both (WARL). */
const MAY_DIFFER: Readonly<Record<string, bigint>> = {
  // FS without F, and SD, which follows it (priv §3.1.6.6).
  mstatus: 0x8000_0000_8000_6000n,
  // Hardware error (priv §3.1.8).
  medeleg: 0x8_0000n,
  // Counters that count nothing (priv §3.1.11).
  mcounteren: 0xffff_fff8n,
  scounteren: 0xffff_fff8n,
};

/** Addresses where Spike has something: debug module, boot ROM, CLINT, PLIC, UART, the stub; and where the bare machine has. */
function occupied(address: bigint): boolean {
  if (address >= STUB - 7n && address < STUB + STUB_SIZE) return true;
  return address < 0x8000_0000n && (address < 0x1_0000n || (address >= 0x200_0000n && address < 0x1100_0000n));
}

/** Whether a program may access this CSR here and on Spike with one result. */
function portableCsr(number: number): boolean {
  // Hypervisor registers are illegal on both, and so are those of floating point.
  return PORTABLE.includes(csrName(number) ?? "") || ((number >> 8) & 3) === 2 || number < 4;
}

/** Without the accesses to CSRs that may differ. */
function withPortableCsrs(program: RandomProgram): RandomProgram {
  return {
    ...program,
    atoms: program.atoms.filter(({ atom }) =>
      atom.kind === "address" || atom.row.class !== "csr" || portableCsr(atom.operands.imm)
    ),
  };
}

/** What a hart did, one line per retired instruction, and where it did something that is not portable. */
export interface Commits {
  readonly lines: readonly string[];
  /** How many traps and interrupts it took. */
  readonly traps: number;
  /** Addresses of instructions to leave out. */
  readonly offenders: readonly bigint[];
  readonly program: BuiltProgram;
}

/**
 * Runs a program on a bare machine: up to `steps`, or until it reaches its end, waits, or is dead. It looks for that after
 * each `stretch` of steps, and may go beyond the end by as much.
 */
export function bareCommits(
  machine: BareMachine,
  isa: Isa,
  built: BuiltProgram,
  steps: number,
  stretch = 1,
): Commits {
  const sink = new MemorySink();
  const writer = new CommitWriter(sink, { xlen: isa.xlen, flen: isa.extensions.includes("d") ? 64 : 32 });
  const offenders = new Set<bigint>();
  const watch = new PortabilityWatch(offenders);
  const end = machine.events.onRecords((view, count) => {
    writer.records(view, count);
    watch.records(view, count);
  });
  machine.record(true);
  machine.load(built.bytes);
  const { hart } = machine;
  let traps = 0;
  const endTraps = machine.events.on("trap", () => traps++);
  while (hart.steps < steps && hart.pc !== built.end && !hart.waiting && hart.death === undefined) {
    machine.run(stretch);
  }
  machine.records.drain();
  writer.flush();
  end();
  endTraps();
  machine.record(false);
  return { lines: sink.text().split("\n").slice(0, -1), traps, offenders: [...offenders], program: built };
}

/** Finds the instructions that do what another machine may do differently. */
class PortabilityWatch {
  readonly #offenders: Set<bigint>;
  /** The instruction before, and the store to code that waits for a fence.i, if there is one. */
  #last = 0n;
  #stored: bigint | undefined = undefined;

  constructor(offenders: Set<bigint>) {
    this.#offenders = offenders;
  }

  records(view: DataView, count: number): void {
    for (let i = 0; i < count; i++) this.#record(view, i * RECORD.bytes);
  }

  #record(view: DataView, at: number): void {
    const kind = view.getUint8(at + RECORD.kind);
    if (kind === RecordKind.Csr) return;
    const pc = view.getBigUint64(at + RECORD.pc, true);
    const address = view.getBigUint64(at + RECORD.addr, true);
    const flags = view.getUint8(at + RECORD.flags);
    const insn = view.getUint32(at + RECORD.insn, true);
    // Whoever jumped there is to blame.
    if (occupied(pc)) this.#offenders.add(this.#last);
    const cause = view.getUint16(at + RECORD.csr, true);
    const memoryTrap = kind === RecordKind.Trapped && cause >= 4 && cause <= 7;
    // A misaligned atomic is an access fault there and a misaligned address here; either may be (unpriv §13.2, §13.4).
    if (memoryTrap && (insn & 0x7f) === 0x2f && cause % 2 === 0) this.#offenders.add(pc);
    // A store over a page's end whose second half faults may have written the first one; here it has not.
    if (memoryTrap && cause === 7 && address % 4096n === 0n) this.#offenders.add(pc);
    const access = (flags & (RecordFlag.Load | RecordFlag.Store)) !== 0 || memoryTrap;
    if (access && occupied(address)) this.#offenders.add(pc);
    // Decoded instructions need not follow memory before a fence.i (unpriv §6); here they do.
    const fenceI = (insn & 0x707f) === 0x100f && kind === RecordKind.Retired;
    if (this.#stored !== undefined && !fenceI) this.#offenders.add(this.#stored);
    const code = BigInt(BARE.ram + FRAME.scratch - FRAME.scratchBytes);
    const toCode = (flags & RecordFlag.Store) !== 0 && address >= BigInt(BARE.ram) && address < code;
    this.#stored = toCode ? pc : undefined;
    this.#last = pc;
  }
}

/**
 * What a program does here once it means the same on Spike; undefined if it cannot be made so. Leaves out one offending
 * atom after the other until a run has none.
 */
export function portable(
  machine: BareMachine,
  isa: Isa,
  random: RandomProgram,
  steps: number,
): Commits | undefined {
  let program = withPortableCsrs(random);
  for (let i = 0; i < 60; i++) {
    const commits = bareCommits(machine, isa, endAtStub(buildProgram(program)), steps);
    const [offender] = commits.offenders;
    if (offender === undefined) return commits;
    const places = atomPlaces(program);
    const atom = places.findIndex((p, n) => p <= offender && offender < (places[n + 1] ?? 0n));
    // In the handlers, or somewhere among data: nothing to leave out.
    if (atom < 0) return undefined;
    program = without(program, atom, 1);
  }
  return undefined;
}

/** The endless loop at a program's end becomes a jump to the stub. */
function endAtStub(built: BuiltProgram): BuiltProgram {
  const bytes = built.bytes.slice();
  const distance = Number(STUB + 0x400n - built.end);
  const word = 0x6f | ((distance >> 20) & 1) << 31 | ((distance >> 1) & 0x3ff) << 21 | ((distance >> 11) & 1) << 20 |
    (distance & 0xff000);
  new DataView(bytes.buffer).setInt32(Number(built.end) - BARE.ram, word, true);
  return { ...built, bytes };
}

/** Ends the timer's interrupt, which Spike has pending at power-on, and counts instructions from the program's first. */
function stub(isa: Isa): Uint8Array {
  const text = `
            li t6, 0x2004000
            li t5, -1
            sw t5, 0(t6)
            sw t5, 4(t6)
            ${isa.xlen === 32 ? "csrw minstreth, t5" : ""}
            li t5, -2                       # the two that follow bring it to 0
            csrw minstret, t5
            li t5, 0
            j ${BARE.ram}
  `;
  const program = new Assembler(isa).program(text, STUB);
  const ending = new Assembler(isa).program(
    `
            li t5, ${TOHOST}
            li t6, 1
            sw t6, 0(t5)
            sw zero, 4(t5)
    1:      wfi
            j 1b
  `,
    STUB + 0x400n,
  );
  const page = new Uint8Array(Number(STUB_SIZE));
  page.set(program.bytes);
  page.set(ending.bytes, 0x400);
  return page;
}

/** Runs a program on Spike; its commit log from the program's first instruction on, until its end if it comes there. */
export async function spikeCommits(spike: string, isa: Isa, { program, traps }: Commits): Promise<string[]> {
  const dir = await Deno.makeTempDir();
  try {
    const elf = buildElf({
      xlen: isa.xlen,
      entry: STUB,
      segments: [{ paddr: BigInt(BARE.ram), data: program.bytes }, { paddr: STUB, data: stub(isa) }],
      symbols: [{ name: "tohost", value: TOHOST }, { name: "fromhost", value: TOHOST + 0x40n }],
    });
    await Deno.writeFile(`${dir}/program.elf`, elf);
    const short = isa.extensions.filter((e) => e.length === 1).join("");
    const long = isa.extensions.filter((e) => e.length > 1);
    const { success, stderr } = await new Deno.Command(spike, {
      args: [
        `--isa=${[`rv${isa.xlen}${short}`, ...long, "zicclsm"].join("_")}`,
        `-m0x${BARE.ram.toString(16)}:0x${BARE.ramSize.toString(16)},0x${STUB.toString(16)}:0x${
          STUB_SIZE.toString(16)
        }`,
        ...["--log-commits", `--log=${dir}/log`, `--pc=0x${STUB.toString(16)}`],
        // It counts 5000 for each stretch, and a trap ends one.
        `--instructions=${5000 * (traps + 10)}`,
        `${dir}/program.elf`,
      ],
      stdout: "null",
      stderr: "piped",
    }).output();
    if (!success) throw new Error(`${spike}: ${new TextDecoder().decode(stderr)}`);
    const lines = (await Deno.readTextFile(`${dir}/log`)).split("\n").slice(0, -1);
    const pc = (address: bigint) => `0x${address.toString(16).padStart(isa.xlen / 4, "0")} (`;
    const first = lines.findIndex((line) => line.includes(pc(BigInt(BARE.ram))));
    const last = lines.findIndex((line) => line.includes(pc(program.end)));
    return lines.slice(first, last < 0 ? lines.length : last);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

const ITEM = / c(\d+)_(\w+) 0x([0-9a-f]+)/g;

/** How two lines of a commit log compare. */
export type Comparison = "same" | "allowed" | "different";

/** Compares a line of Spike's with ours; `allowed` is a difference after which the two may go different ways. */
export function compareLines(spike: string, ours: string): Comparison {
  if (spike === ours) return "same";
  const items = (line: string) => new Map([...line.matchAll(ITEM)].map((m) => [m[2]!, BigInt(`0x${m[3]}`)]));
  const rest = (line: string) => line.replaceAll(ITEM, "");
  const [a, b] = [items(spike), items(ours)];
  // Bits of mip that stand for another register of Spike's.
  a.delete("mvip");
  if (rest(spike) === rest(ours) && a.size === b.size) {
    const differing = [...a].filter(([name, value]) => value !== b.get(name));
    if (differing.length === 0) return "same";
    if (differing.every(([name, value]) => ((value ^ (b.get(name) ?? ~value)) & ~(MAY_DIFFER[name] ?? 0n)) === 0n)) {
      return "allowed";
    }
  }
  // A store-conditional may fail for any reason (unpriv §13.2): the reservation is a line here, an address in Spike.
  const sc = /\(0x([0-9a-f]{8})\)/.exec(spike);
  if (sc !== null && (Number(`0x${sc[1]}`) & 0xf800007f) === 0x1800002f) {
    const head = (line: string) => line.slice(0, line.indexOf(")"));
    if (head(spike) === head(ours)) return "allowed";
  }
  return "different";
}
