/** The monitor's commands as one table: dispatch, help and the documentation read it. */
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { hex } from "../bits.ts";
import type { Hart } from "../hart/hart.ts";
import { csrName, csrNumber } from "../isa/csr_names.ts";
import { Disassembler } from "../isa/disassemble.ts";
import type { Stop } from "../machine.ts";
import { csrLine, namedRegisters, registerLines } from "../trace/hart_text.ts";
import { symbolText } from "../trace/symbolizer.ts";
import { deviceLines, interruptLines, queueLines, virtioLines } from "./monitor_devices.ts";
import { countOf, MemoryView, MonitorError, valueOf } from "./monitor_values.ts";
import { didYouMean } from "./nearest.ts";
import { describeAddress, type ReportContext, statusLines } from "./report.ts";

/** What a command works on. */
export interface MonitorState {
  readonly context: ReportContext;
  /** The hart that commands are about. */
  hart: Hart;
  print(lines: readonly string[]): void;
  /** Runs `steps` instructions and tells of each; a stop other than their end ends the run. */
  step(steps: number): Promise<Stop | undefined>;
  /** Starts a trace of instructions or devices, or ends both; says what it did. */
  trace(what: "instructions" | "devices" | "off", file: string | undefined): string;
}

/** What becomes of the machine after a command; undefined: the next command. */
export type MonitorEnd = "continue" | "quit" | Stop;

/** One command. */
export interface MonitorCommand {
  readonly name: string;
  /** Shorter ways to type it. */
  readonly short: readonly string[];
  /** What follows it. */
  readonly args: string;
  readonly help: string;
  /** Most words that may follow. */
  readonly most: number;
  run(state: MonitorState, args: readonly string[]): MonitorEnd | void | Promise<MonitorEnd | void>;
}

const STEPS_MAX = 100_000;
const LINES_MAX = 1000;
const BYTES_MAX = 65_536;

/** Every command, in the order of help. */
export const monitorCommands: readonly MonitorCommand[] = [
  {
    name: "registers",
    short: ["r", "regs"],
    args: "",
    help: "where the hart is, its registers, and those that point at a symbol",
    most: 0,
    run: (s) => s.print([placeLine(s), ...registerLines(s.hart), ...namedRegisters(s.hart, s.context.names.symbolize)]),
  },
  {
    name: "csr",
    short: [],
    args: "[NAME…]",
    help: "CSRs with their fields: those named, or all that are not 0",
    most: 32,
    run: (s, args) => s.print(args.length > 0 ? args.map((name) => oneCsr(s, name)) : allCsrs(s)),
  },
  {
    name: "devices",
    short: ["dev", "i"],
    args: "[NAME]",
    help: "the devices; of virtio1 its status, features and queues",
    most: 1,
    run: ({ print, context }, [name]) =>
      print(name === undefined ? deviceLines(context.machine) : virtioLines(virtioSlot(context, name))),
  },
  {
    name: "queue",
    short: ["ring"],
    args: "NAME [N]",
    help: "a virtqueue of virtio1: both rings, with the chains in them",
    most: 2,
    run: ({ print, context }, [name, n]) => {
      const slot = virtioSlot(context, name ?? "");
      const index = Number(n ?? 0);
      const count = slot.core.queues.length;
      if (!(index >= 0 && index < count)) throw new MonitorError(`${n}: ${slot.name} has queues 0 to ${count - 1}`);
      print(queueLines(slot, index));
    },
  },
  {
    name: "interrupts",
    short: ["irq"],
    args: "",
    help: "the timer, and what is pending and enabled at the PLIC",
    most: 0,
    run: ({ print, context }) => print(interruptLines(context.machine)),
  },
  {
    name: "memory",
    short: ["m", "x"],
    args: "ADDRESS [BYTES]",
    help: "memory as the hart sees it now; with p: before the address, physical",
    most: 2,
    run: (s, [address, bytes]) => s.print(dump(s, address, countOf(bytes, 64, BYTES_MAX))),
  },
  {
    name: "disassemble",
    short: ["d", "dis"],
    args: "[ADDRESS] [N]",
    help: "instructions there; without an address from pc on",
    most: 2,
    run: (s, [address, count]) => s.print(disassembly(s, address ?? "pc", countOf(count, 10, LINES_MAX))),
  },
  {
    name: "step",
    short: ["s", "si"],
    args: "[N]",
    help: "do N instructions, and show them",
    most: 1,
    run: (s, [count]) => s.step(countOf(count, 1, STEPS_MAX)),
  },
  {
    name: "trace",
    short: ["t"],
    args: "on|devices|off [FILE]",
    help: "trace instructions or devices to the terminal or a file, or no longer",
    most: 2,
    run: (s, [what, file]) => {
      const kinds = { on: "instructions", devices: "devices", off: "off" } as const;
      const kind = kinds[what as keyof typeof kinds];
      if (kind === undefined) throw new MonitorError(`${what ?? "trace"}: expected on, devices or off`);
      s.print([s.trace(kind, file)]);
    },
  },
  {
    name: "why",
    short: ["w"],
    args: "",
    help: "where each hart is, and what it waits for",
    most: 0,
    run: ({ print, context }) => print(statusLines(context)),
  },
  {
    name: "hart",
    short: ["h"],
    args: "N",
    help: "make the other commands about hart N",
    most: 1,
    run: (s, [n]) => {
      const { harts } = s.context.machine;
      const hart = n === undefined ? undefined : harts[Number(n)];
      if (hart === undefined) throw new MonitorError(`${n ?? "hart"}: expected a hart, 0 to ${harts.length - 1}`);
      s.hart = hart;
      s.print([placeLine(s)]);
    },
  },
  {
    name: "continue",
    short: ["c"],
    args: "",
    help: "let the guest go on; Ctrl-D and Ctrl-A c do the same",
    most: 0,
    run: () => "continue",
  },
  { name: "quit", short: ["q"], args: "", help: "end the run", most: 0, run: () => "quit" },
  { name: "help", short: ["?"], args: "", help: "show this", most: 0, run: ({ print }) => print(helpLines()) },
];

/** Does what a line says. Throws a `MonitorError` for what cannot be. */
export async function monitorCommand(state: MonitorState, line: string): Promise<MonitorEnd | void> {
  const [word = "", ...args] = line.trim().split(/\s+/);
  if (word === "") return;
  const command = monitorCommands.find(({ name, short }) => name === word || short.includes(word)) ??
    theOne(monitorCommands.filter(({ name }) => word.length > 1 && name.startsWith(word)));
  if (command === undefined) {
    const hint = didYouMean(word, monitorCommands.map(({ name }) => name));
    throw new MonitorError(`${word} is no command${hint === "" ? "; help lists them" : hint}`);
  }
  if (args.length > command.most) {
    throw new MonitorError(`usage: ${`${command.name} ${command.args}`.trim()}`);
  }
  return await command.run(state, args);
}

function theOne<T>(list: readonly T[]): T | undefined {
  return list.length === 1 ? list[0] : undefined;
}

function helpLines(): string[] {
  const rows = monitorCommands.map(({ name, short, args, help }) => [`${[name, ...short].join(", ")} ${args}`, help]);
  const width = Math.max(...rows.map(([left]) => left!.length));
  return [
    ...rows.map(([left, help]) => `${left!.padEnd(width)}  ${help}`),
    "",
    "An ADDRESS is a number, a register, a CSR or a symbol, or a sum: 0x80000000, sp+16, mepc, main+0x10.",
    "An empty line repeats the last command.",
  ];
}

/** `hart 0 in M mode at 0x80000000 <main>, 1234 instructions`. */
function placeLine({ hart, context }: MonitorState): string {
  return statusLines(context)[1 + hart.index]!;
}

function oneCsr({ hart, context }: MonitorState, text: string): string {
  const name = /^0x[0-9a-f]+$/i.test(text) ? csrName(Number(text)) ?? text : text;
  if (csrNumber(name) === undefined) throw new MonitorError(`${text}: no CSR has this name`);
  const line = csrLine(hart, name, context.names.symbolize);
  if (line === undefined) throw new MonitorError(`${name}: hart ${hart.index} does not have it`);
  return line;
}

/** Every CSR that is not 0, and those without which the others mean little. */
function allCsrs({ hart, context }: MonitorState): string[] {
  const lines: string[] = [];
  for (let number = 0; number < 4096; number++) {
    const value = hart.csr(number);
    const name = csrName(number);
    if (name === undefined || value === undefined || value === 0n) continue;
    lines.push(csrLine(hart, name, context.names.symbolize)!);
  }
  return lines;
}

/** The virtio device called `virtio1`, or `1`. */
function virtioSlot({ machine }: ReportContext, text: string): VirtioMmio {
  const name = /^\d+$/.test(text) ? `virtio${text}` : text;
  const slot = machine.slots.find((one) => one.name === name);
  if (slot instanceof VirtioMmio) return slot;
  const there = machine.slots.filter((one) => one instanceof VirtioMmio).map((one) => one.name);
  const which = there.length === 0 ? "there are none" : `those are ${there.join(", ")}`;
  throw new MonitorError(`${text === "" ? "NAME" : text}: expected a virtio device; ${which}`);
}

/** The view and the place that an address with or without `p:` means. */
function viewAt({ hart, context }: MonitorState, text: string): { view: MemoryView; at: bigint } {
  const physical = text.startsWith("p:");
  const at = valueOf(physical ? text.slice(2) : text, hart, context.names.symbols);
  return { view: new MemoryView(hart, physical), at };
}

function dump(state: MonitorState, text: string | undefined, count: number): string[] {
  if (text === undefined) throw new MonitorError("usage: memory ADDRESS [BYTES]");
  const { view, at } = viewAt(state, text);
  const digits = state.hart.xlen / 4;
  const lines: string[] = [];
  for (let from = at; from < at + BigInt(count); from += 16n) {
    const length = Math.min(16, Number(at + BigInt(count) - from));
    const bytes = Array.from({ length }, (_, i) => view.byte(from + BigInt(i)));
    const row = bytes.map((byte) => byte === undefined ? "--" : byte.toString(16).padStart(2, "0"));
    const text = bytes.map((byte) =>
      byte === undefined ? " " : byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : "."
    );
    const halves = [row.slice(0, 8), row.slice(8)].map((half) => half.join(" ").padEnd(23));
    lines.push(`${hex(from, digits).slice(2)}  ${halves.join("  ")}  |${text.join("")}|`);
  }
  if (lines.some((line) => !/^\S+ [- ]+\|/.test(line))) return lines;
  const physical = view.translate(at);
  if (physical === undefined) return [`${hex(at)}: nothing is mapped there`];
  const there = describeAddress(state.context.machine, BigInt(physical));
  return [`physical ${hex(physical)} is no memory (${there}); devices are not read, as that can change them`];
}

function disassembly(state: MonitorState, text: string, count: number): string[] {
  const { view, at } = viewAt(state, text);
  const { symbolize } = state.context.names;
  const disassembler = new Disassembler(state.context.machine.isa, {
    aliases: true,
    symbol: (address) => symbolText(symbolize, address),
  });
  const lines: string[] = [];
  for (let pc = at; lines.length < count;) {
    const word = view.instruction(pc);
    const place = `${pc === state.hart.pc ? ">" : " "} ${hex(pc, state.hart.xlen / 4).slice(2)}`;
    const name = symbolize === undefined ? "" : `  ${(symbolText(symbolize, pc) ?? "").padEnd(24)}`;
    if (word === undefined) return [...lines, `${place}${name}  cannot be read`];
    const short = (word & 3) !== 3;
    const bytes = hex(word, short ? 4 : 8).slice(2).padEnd(8);
    const { mnemonic, operands } = disassembler.instruction(word, pc);
    lines.push(`${place}${name}  ${bytes}  ${`${mnemonic.padEnd(8)} ${operands}`.trimEnd()}`);
    pc += short ? 2n : 4n;
  }
  return lines;
}
