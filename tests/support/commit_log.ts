/** Commit logs as Spike writes them, read back into records: the way round that the tests of the writer need. */
import type { Privilege } from "../../vm/events.ts";
import { RecordBuilder } from "./records.ts";

/** One line of a commit log, taken apart. */
export interface CommitLine {
  readonly hart: number;
  readonly privilege: Privilege;
  readonly pc: bigint;
  readonly insn: number;
  readonly rd?: readonly [register: number, value: bigint];
  readonly frd?: readonly [register: number, value: bigint];
  readonly csrs: readonly (readonly [number: number, value: bigint])[];
  readonly load?: { readonly addr: bigint; readonly size: 1 | 2 | 4 | 8 };
  readonly store?: { readonly addr: bigint; readonly size: 1 | 2 | 4 | 8; readonly data: bigint };
}

const LINE = /^core +(\d+): ([013]) (0x[0-9a-f]+) \((0x[0-9a-f]+)\)(.*)$/;
const PART =
  / (?:x(\d+) +(0x[0-9a-f]+)|f(\d+) +(0x[0-9a-f]+)|c(\d+)_\w+ (0x[0-9a-f]+)|mem (0x[0-9a-f]+)(?: (0x[0-9a-f]+))?)/g;

/** Takes a line apart; throws for one that is none. */
export function parseCommitLine(line: string): CommitLine {
  const [whole, hart, privilege, pc, insn, rest] = LINE.exec(line) ?? [];
  if (whole === undefined) throw new Error(`not a line of a commit log: ${line}`);
  const parts = [...rest!.matchAll(PART)];
  // The writer adds it to every mret of RV32 by itself.
  const mstatush = (p: RegExpExecArray) => p[5] === "784" && Number(insn) === 0x3020_0073;
  if (parts.map((p) => p[0]).join("") !== rest) throw new Error(`unknown part in: ${line}`);
  const rd = parts.find((p) => p[1] !== undefined);
  const frd = parts.find((p) => p[3] !== undefined);
  const load = parts.find((p) => p[7] !== undefined && p[8] === undefined);
  const store = parts.find((p) => p[8] !== undefined);
  return {
    hart: Number(hart),
    privilege: Number(privilege) as Privilege,
    pc: BigInt(pc!),
    insn: Number(insn),
    ...(rd && { rd: [Number(rd[1]), BigInt(rd[2]!)] as const }),
    ...(frd && { frd: [Number(frd[3]), BigInt(frd[4]!)] as const }),
    csrs: parts.filter((p) => p[5] !== undefined && !mstatush(p)).map((p) => [Number(p[5]), BigInt(p[6]!)] as const),
    // The log does not say how wide a load was.
    ...(load && { load: { addr: BigInt(load[7]!), size: 8 as const } }),
    ...(store && {
      store: { addr: BigInt(store[7]!), size: ((store[8]!.length - 2) / 2) as 1 | 2 | 4 | 8, data: BigInt(store[8]!) },
    }),
  };
}

/** A whole log as records. */
export function commitLogRecords(log: string): RecordBuilder {
  const builder = new RecordBuilder();
  for (const line of log.split("\n")) {
    if (line !== "") builder.retired(parseCommitLine(line));
  }
  return builder;
}
