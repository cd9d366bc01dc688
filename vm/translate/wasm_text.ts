/** The code of an emitted function as WebAssembly text, one instruction a line: for people who read regions. */
import { Op, SaturatingOp } from "./wasm.ts";

/** One instruction, where it begins in the code, and how deep it stands. */
export interface WasmLine {
  readonly at: number;
  readonly depth: number;
  readonly text: string;
}

/** Names by opcode. */
const NAMES = new Map<number, string>(Object.entries(Op).map(([key, code]) => [code, textName(key)]));
const SATURATING = new Map<number, string>(
  Object.entries(SaturatingOp).map(([key, code]) => [code, textName(key)]),
);

/** `I64Load8U` as `i64.load8_u`, `LocalGet` as `local.get`, `BrIf` as `br_if`. */
function textName(key: string): string {
  const words = key.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
  const typed = /^[if](32|64)$/.test(words[0]!) || words[0] === "local";
  return typed ? `${words[0]}.${words.slice(1).join("_")}` : words.join("_");
}

/** Reads bytes from the front. */
class Reader {
  at = 0;
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
  byte(): number {
    return this.bytes[this.at++]!;
  }
  unsigned(): number {
    let value = 0;
    for (let factor = 1;; factor *= 128) {
      const byte = this.byte();
      value += (byte & 127) * factor;
      if (byte < 128) return value;
    }
  }
  signed(): bigint {
    let value = 0n;
    for (let shift = 0n;; shift += 7n) {
      const byte = this.byte();
      value |= BigInt(byte & 127) << shift;
      if (byte < 128) return BigInt.asIntN(Number(shift) + 7, value);
    }
  }
}

/** The code of the function with index `wanted` in a module that `ModuleWriter` has written. */
export function functionCode(module: Uint8Array, wanted: number): Uint8Array {
  const r = new Reader(module);
  r.at = 8;
  while (r.at < module.length) {
    const id = r.byte();
    const end = r.unsigned() + r.at;
    if (id !== 10) {
      r.at = end;
      continue;
    }
    r.unsigned();
    for (let i = 0; i < wanted; i++) {
      const length = r.unsigned();
      r.at += length;
    }
    const stop = r.unsigned() + r.at;
    for (let runs = r.unsigned(); runs > 0; runs--) r.unsigned(), r.byte();
    return module.subarray(r.at, stop);
  }
  throw new Error("wasm: the module has no code section");
}

/** The code of a function, without its locals, as lines. Throws for an opcode that is not in the tables: ours to add. */
export function wasmLines(code: Uint8Array): WasmLine[] {
  const r = new Reader(code);
  const lines: WasmLine[] = [];
  let depth = 0;
  while (r.at < code.length) {
    const at = r.at;
    const op = r.byte();
    const text = textOf(r, op);
    if (op === Op.End || op === Op.Else) depth--;
    lines.push({ at, depth: Math.max(0, depth), text });
    if (op === Op.Block || op === Op.Loop || op === Op.If || op === Op.Else) depth++;
  }
  return lines;
}

function textOf(r: Reader, op: number): string {
  if (op === 0xfc) {
    const second = r.unsigned();
    return SATURATING.get(second) ?? `0xfc ${second}`;
  }
  const name = NAMES.get(op);
  if (name === undefined) throw new Error(`wasm text: opcode 0x${op.toString(16)} at ${r.at - 1} has no name`);
  if (op === Op.Block || op === Op.Loop || op === Op.If) {
    r.byte();
    return name;
  }
  if (op === Op.Br || op === Op.BrIf || op === Op.Call || (op >= Op.LocalGet && op <= Op.LocalTee)) {
    return `${name} ${r.unsigned()}`;
  }
  if (op === Op.BrTable) {
    const targets = Array.from({ length: r.unsigned() + 1 }, () => r.unsigned());
    return `${name} ${targets.join(" ")}`;
  }
  if (op === Op.CallIndirect) {
    const type = r.unsigned();
    r.byte();
    return `${name} (type ${type})`;
  }
  if (op >= Op.I32Load && op <= Op.I64Store32) {
    r.unsigned();
    const offset = r.unsigned();
    return offset === 0 ? name : `${name} offset=0x${offset.toString(16)}`;
  }
  if (op === Op.I32Const || op === Op.I64Const) return `${name} ${constant(r.signed())}`;
  if (op === Op.F64Const) {
    const view = new DataView(r.bytes.buffer, r.bytes.byteOffset + r.at, 8);
    r.at += 8;
    return `${name} ${view.getFloat64(0, true)}`;
  }
  return name;
}

/** Large ones in hexadecimal: they are addresses and masks. */
function constant(value: bigint): string {
  const size = value < 0n ? -value : value;
  return size < 4096n ? `${value}` : `${value < 0n ? "-" : ""}0x${size.toString(16)}`;
}
