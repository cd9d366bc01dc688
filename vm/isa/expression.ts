/** Numbers, labels and sums of them in assembly text. */

/** Where labels are looked up. */
export interface Scope {
  /** Address of a label; undefined if there is none. */
  label(name: string): bigint | undefined;
  /** Address of the nearest numeric label before (`b`) or after (`f`) this place. */
  local(number: string, direction: "b" | "f"): bigint | undefined;
  /** What `.` stands for. */
  readonly here: bigint;
}

const TERM = /\s*([-+])?\s*('(?:\\?.)'|[\w.$]+)\s*/y;
const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", "0": "\0" };

/** Value of `text`: terms joined by + and -. Throws a RangeError that names what it could not read. */
export function evaluate(text: string, scope: Scope): bigint {
  if (text.trim() === "") throw new RangeError("expected a number, got nothing");
  let sum = 0n;
  let at = 0;
  while (at < text.length) {
    TERM.lastIndex = at;
    const [all, sign, term] = TERM.exec(text) ?? [];
    if (all === undefined || (at > 0 && sign === undefined)) throw new RangeError(`cannot read ${text}`);
    const value = termValue(term!, scope);
    sum += sign === "-" ? -value : value;
    at += all.length;
  }
  return sum;
}

function termValue(term: string, scope: Scope): bigint {
  if (/^(\d+|0x[0-9a-f]+|0b[01]+)$/i.test(term)) return BigInt(term);
  const [, escape, character] = /^'(\\?)(.)'$/.exec(term) ?? [];
  if (character !== undefined) {
    return BigInt((escape === "" ? character : ESCAPES[character] ?? character).charCodeAt(0));
  }
  if (term === ".") return scope.here;
  const [, number, direction] = /^(\d+)([bf])$/.exec(term) ?? [];
  const value = number === undefined ? scope.label(term) : scope.local(number, direction as "b" | "f");
  if (value === undefined) throw new RangeError(`${term} is neither a number nor a label`);
  return value;
}
