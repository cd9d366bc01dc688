/**
 * WebAssembly stack code written as text, for functions that compute much and branch little. Words stand for what they
 * push or do, in order:
 *
 * | word | means |
 * |---|---|
 * | `a` | value of the parameter or local `a` |
 * | `a=` `a:=` | takes the top into `a`; `a:=` leaves it there too |
 * | `7i` `7L` `0x7ffL` `0.5` `2^-900` `Infinity` | constants: i32, i64, f64 |
 * | `f64.add` … | the instruction of that name |
 * | `if` `else` `end` `return` | control; conditions without a result |
 * | `@name` | call of the function `name` |
 */
import { FunctionBody, Op, SaturatingOp } from "./wasm.ts";
import type { ValueType } from "./wasm.ts";

/** Variables by name and type, in order. */
export type Variables = Readonly<Record<string, ValueType>>;

/** Instruction names that are not the opcode table's spelling in lower case. */
function opcode(word: string): string {
  return word.split(/[._]/).map((part) => part[0]!.toUpperCase() + part.slice(1)).join("");
}

/** A function body from text. Throws for a word that means nothing: a mistake of ours. */
export function stackCode(
  params: Variables,
  results: readonly ValueType[],
  locals: Variables,
  text: string,
  functions: { get(name: string): number | undefined } = new Map<string, number>(),
): FunctionBody {
  const f = new FunctionBody(Object.values(params), results);
  const variables = new Map(Object.keys(params).map((name, i): [string, number] => [name, i]));
  for (const [name, type] of Object.entries(locals)) variables.set(name, f.local(type));
  const variable = (name: string): number => {
    const found = variables.get(name);
    if (found === undefined) throw new Error(`stack code: no variable or word ${name}`);
    return found;
  };
  for (const word of text.trim().split(/\s+/)) {
    if (word === "if") f.if();
    else if (word === "else") f.else();
    else if (word === "end") f.end();
    else if (word === "return") f.op(Op.Return);
    else if (word === "drop") f.op(Op.Drop);
    else if (word === "select") f.op(Op.Select);
    else if (word.startsWith("@")) {
      const found = functions.get(word.slice(1));
      if (found === undefined) throw new Error(`stack code: no function ${word}`);
      f.call(found);
    } else if (word.endsWith(":=")) f.tee(variable(word.slice(0, -2)));
    else if (word.endsWith("=")) f.set(variable(word.slice(0, -1)));
    else if (/^-?\d+i$/.test(word)) f.i32(Number(word.slice(0, -1)));
    else if (/^-?(0x[0-9a-f]+|\d+)L$/.test(word)) f.i64(BigInt.asIntN(64, BigInt(word.slice(0, -1))));
    else if (/^-?\d+\.\d+$/.test(word)) f.f64(Number(word));
    else if (word === "Infinity") f.f64(Infinity);
    else if (/^2\^-?\d+$/.test(word)) f.f64(2 ** Number(word.slice(2)));
    else if (word.includes(".")) instruction(f, word);
    else f.get(variable(word));
  }
  return f;
}

function instruction(f: FunctionBody, word: string): void {
  const name = opcode(word);
  const plain = (Op as Readonly<Record<string, number>>)[name];
  const saturating = (SaturatingOp as Readonly<Record<string, number>>)[name];
  if (plain !== undefined) f.op(plain);
  else if (saturating !== undefined) f.op(0xfc, saturating);
  else throw new Error(`stack code: no instruction ${word}`);
}
