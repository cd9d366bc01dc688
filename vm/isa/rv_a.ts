/** Atomics (unpriv §13): load-reserved, store-conditional and read-modify-write, for words and doublewords. */
import { Amo } from "./format.ts";
import { type Extension, extension, type Row, type Sem } from "./row.ts";

type Combine = <V, B>(s: Sem<V, B>, old: () => V, operand: () => V) => V;

const operations: readonly (readonly [name: string, funct: string, combine: Combine])[] = [
  ["amoswap", "00001", (_s, _old, operand) => operand()],
  ["amoadd", "00000", (s, old, operand) => s.add(old(), operand())],
  ["amoxor", "00100", (s, old, operand) => s.xor(old(), operand())],
  ["amoand", "01100", (s, old, operand) => s.and(old(), operand())],
  ["amoor", "01000", (s, old, operand) => s.or(old(), operand())],
  ["amomin", "10000", (s, old, operand) => s.select(old(), operand(), s.lt(old(), operand()))],
  ["amomax", "10100", (s, old, operand) => s.select(old(), operand(), s.ge(old(), operand()))],
  ["amominu", "11000", (s, old, operand) => s.select(old(), operand(), s.ltu(old(), operand()))],
  ["amomaxu", "11100", (s, old, operand) => s.select(old(), operand(), s.geu(old(), operand()))],
];

function rowsOf(suffix: "w" | "d"): Row[] {
  const size = suffix === "w" ? 4 : 8;
  const funct3 = suffix === "w" ? "010" : "011";
  const base = { format: Amo, class: "atomic" as const, ...(suffix === "d" && { xlen: 64 as const }) };
  return [
    {
      ...base,
      name: `lr.${suffix}`,
      bits: `00010 .. 00000 ..... ${funct3} ..... 0101111`,
      asm: "rd, (rs1)",
      spec: "unpriv §13.2",
      run: (s) => s.rd(s.loadReserved(s.rs1(), size)),
    },
    {
      ...base,
      name: `sc.${suffix}`,
      bits: `00011 .. ..... ..... ${funct3} ..... 0101111`,
      asm: "rd, rs2, (rs1)",
      spec: "unpriv §13.2",
      run: (s) => s.rd(s.storeConditional(s.rs1(), s.rs2(), size)),
    },
    ...operations.map(([name, funct, combine]): Row => ({
      ...base,
      name: `${name}.${suffix}`,
      bits: `${funct} .. ..... ..... ${funct3} ..... 0101111`,
      asm: "rd, rs2, (rs1)",
      spec: "unpriv §13.4",
      // The comparisons of the word forms look at the low halves only; sign extension keeps both orders.
      run: (s) => s.amo(s.rs1(), size, (old) => combine(s, old, () => size === 4 ? s.sext(s.rs2(), 32) : s.rs2())),
    })),
  ];
}

/** The A extension. */
export const rvA: Extension = extension("a", ["0101111"], () => [...rowsOf("w"), ...rowsOf("d")]);
