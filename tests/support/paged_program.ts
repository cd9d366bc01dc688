/** Assembly that runs in S-mode behind page tables which it writes itself: of a bare hart's RAM, page by page. */
import { BARE } from "./engine.ts";

const RAM = BARE.ram >>> 0;
/** Tables at +0xc000 (root), +0xd000, +0xe000. */
const TABLES = 0xc000;

/** Makes t1 the leaf that maps the physical address in a register, with every permission. */
export function leaf(address: string): string {
  return `srli t1, ${address}, 12\nslli t1, t1, 10\nori t1, t1, 0xcf`;
}

/**
 * Maps RAM where it is, and goes to `start` in S-mode with s1 the address of the leaf of RAM's page 2. `wide` is RV64 with
 * three levels of page tables; else two.
 */
export function enterPaging(wide: boolean): string {
  const store = wide ? "sd" : "sw";
  const pointer = (from: number, to: number, index: number) => `
        li t0, ${RAM + from + index * (wide ? 8 : 4)}
        li t1, ${RAM + to}
        srli t1, t1, 12
        slli t1, t1, 10
        ori t1, t1, 1
        ${store} t1, 0(t0)`;
  const entry = wide ? 8 : 4;
  const last = wide ? 0xe000 : 0xd000;
  const place = wide ? 0 : (RAM >>> 12) & 1023;
  return `
        ${pointer(TABLES, 0xd000, wide ? 2 : RAM >>> 22)}
        ${wide ? pointer(0xd000, 0xe000, 0) : ""}
        li s0, ${RAM}
        li s1, ${RAM + last + place * entry}
        li s2, 16
leaves: ${leaf("s0")}
        ${store} t1, 0(s1)
        li t0, 4096
        add s0, s0, t0
        addi s1, s1, ${entry}
        addi s2, s2, -1
        bnez s2, leaves
        li t0, ${(RAM + TABLES) >>> 12}
        li t1, ${wide ? 8 : 1}
        slli t1, t1, ${wide ? 60 : 31}
        or t0, t0, t1
        csrw satp, t0
        la t0, start
        csrw mepc, t0
        li t0, 0x800
        csrw mstatus, t0
        li s1, ${RAM + last + (place + 2) * entry}
        mret
`;
}
