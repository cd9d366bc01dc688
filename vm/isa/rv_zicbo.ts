/** Cache-block operations (unpriv "CMO"): Zicbom manages, Zicboz zeroes, Zicbop advises to fetch ahead. */
import { Block, Prefetch } from "./format.ts";
import type { CacheBlockOperation, Extension, Row } from "./row.ts";

/** Bytes of a cache block, for all three extensions; told to the guest by the device tree. */
export const CACHE_BLOCK = 64;

function row(name: CacheBlockOperation, funct12: string, spec: string): Row {
  return {
    name,
    bits: `${funct12} ..... 010 00000 0001111`,
    format: Block,
    asm: "(rs1)",
    class: "system",
    spec,
    run: (s) => s.system(name),
  };
}

/** Zicbom. */
export const rvZicbom: Extension = {
  name: "zicbom",
  rows: [
    row("cbo.inval", "000000000000", "unpriv Zicbom"),
    row("cbo.clean", "000000000001", "unpriv Zicbom"),
    row("cbo.flush", "000000000010", "unpriv Zicbom"),
  ],
};

/** Zicboz. */
export const rvZicboz: Extension = { name: "zicboz", rows: [row("cbo.zero", "000000000100", "unpriv Zicboz")] };

/** Zicbop: each is an `ori` that writes x0, so that its rows must come before that one. They never trap. */
export const rvZicbop: Extension = {
  name: "zicbop",
  rows: ([["prefetch.i", "00000"], ["prefetch.r", "00001"], ["prefetch.w", "00011"]] as const).map((
    [name, operation],
  ): Row => ({
    name,
    bits: `....... ${operation} ..... 110 00000 0010011`,
    format: Prefetch,
    asm: "imm(rs1)",
    class: "alu",
    spec: "unpriv Zicbop",
    run: (s) => s.hint(),
  })),
};
