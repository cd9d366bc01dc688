/**
 * The CSRs that decide what an address means and what lower modes may do: address translation (priv §10.1.11), physical
 * memory protection (§3.7.1), the environment configuration (§3.1.18, §10.1.10) and the timer of S-mode (Sstc).
 */
import { Privilege } from "../events.ts";
import type { CsrRow } from "./csr.ts";
import { CSR, csrNamed } from "./csr_numbers.ts";
import type { Hart } from "./hart.ts";
import { modeSupported } from "./mmu.ts";

/** Fields of menvcfg (priv §3.1.18); senvcfg has the low ones at the same places (§10.1.10). */
export const MENVCFG: Readonly<Record<"FIOM" | "CBIE" | "CBCFE" | "CBZE" | "ADUE" | "PBMTE" | "STCE", bigint>> = {
  FIOM: 1n,
  CBIE: 3n << 4n,
  CBCFE: 1n << 6n,
  CBZE: 1n << 7n,
  ADUE: 1n << 61n,
  PBMTE: 1n << 62n,
  STCE: 1n << 63n,
};

const LOW = 0xffff_ffffn;

function row(name: string, spec: string, behaviour: Omit<CsrRow, "number" | "name" | "spec" | "xlen">): CsrRow {
  const { number, rv32 } = csrNamed(name);
  return { number, name, spec, ...(rv32 && { xlen: 32 }), ...behaviour };
}

// --- satp --------------------------------------------------------------------------------------------------------------

function writeSatp(hart: Hart, value: bigint): void {
  // A mode that does not exist: nothing of the write counts (priv §10.1.11).
  if (hart.xlen === 64 && !modeSupported(Number(value >> 60n))) return;
  if (value === hart.stored(CSR.satp)) return;
  hart.store(CSR.satp, value);
  hart.translationChanged();
}

// --- environment configuration --------------------------------------------------------------------------------------------

/** The fields that lower modes' cache-block instructions need, and FIOM. */
function environmentMask(hart: Hart): bigint {
  const has = (name: string, bits: bigint) => hart.isa.extensions.includes(name) ? bits : 0n;
  return MENVCFG.FIOM | has("zicbom", MENVCFG.CBIE | MENVCFG.CBCFE) | has("zicboz", MENVCFG.CBZE);
}

function machineEnvironmentMask(hart: Hart): bigint {
  const has = (name: string, bits: bigint) => hart.isa.extensions.includes(name) ? bits : 0n;
  return environmentMask(hart) | has("svadu", MENVCFG.ADUE) | has("svpbmt", MENVCFG.PBMTE) | has("sstc", MENVCFG.STCE);
}

/** `next` with CBIE kept as it was if it would become 2, which is reserved. */
function legalEnvironment(old: bigint, next: bigint): bigint {
  return (next & MENVCFG.CBIE) === 2n << 4n ? (next & ~MENVCFG.CBIE) | (old & MENVCFG.CBIE) : next;
}

function writeMenvcfg(hart: Hart, value: bigint): void {
  const old = hart.stored(CSR.menvcfg);
  const next = legalEnvironment(old, value & machineEnvironmentMask(hart));
  if (next === old) return;
  hart.store(CSR.menvcfg, next);
  hart.translationChanged();
  hart.timer.update();
}

// --- stimecmp -----------------------------------------------------------------------------------------------------------

/** S-mode has the register only with mcounteren.TM and menvcfg.STCE (Sstc §2.2). */
function timerRefused(hart: Hart): boolean {
  return hart.privilege < Privilege.M && (!hart.timer.enabled || (hart.stored(CSR.mcounteren) & 2n) === 0n);
}

function writeStimecmp(hart: Hart, value: bigint): void {
  hart.store(CSR.stimecmp, value);
  hart.timer.update();
}

// --- PMP ---------------------------------------------------------------------------------------------------------------

/** Four configuration bytes per register on RV32, eight on RV64, where only the even registers exist (priv §3.7.1). */
function configuration(n: number): CsrRow {
  const bytes = (hart: Hart) => Array.from({ length: hart.xlen / 8 }, (_, i) => i);
  return row(`pmpcfg${n}`, "priv §3.7.1", {
    read: (hart) =>
      bytes(hart).reduce((v, i) => v | (BigInt(hart.addressing.pmp.config(n * 4 + i)) << BigInt(8 * i)), 0n),
    write: (hart, value) => {
      for (const i of bytes(hart)) hart.addressing.pmp.setConfig(n * 4 + i, Number((value >> BigInt(8 * i)) & 255n));
      hart.protectionChanged();
      hart.modeChanged();
    },
  });
}

function address(n: number): CsrRow {
  return row(`pmpaddr${n}`, "priv §3.7.1", {
    read: (hart) => hart.addressing.pmp.address(n),
    write: (hart, value) => {
      hart.addressing.pmp.setAddress(n, value);
      hart.protectionChanged();
      hart.modeChanged();
    },
  });
}

/** All of these registers, anew. */
export const memoryCsrRows = (): CsrRow[] => [
  row("satp", "priv §10.1.11", {
    read: (hart) => hart.stored(CSR.satp),
    write: writeSatp,
    refused: (hart) => hart.virtualMemoryTrapped,
  }),
  row("senvcfg", "priv §10.1.10", {
    read: (hart) => hart.stored(CSR.senvcfg),
    write: (hart, value) =>
      hart.store(CSR.senvcfg, legalEnvironment(hart.stored(CSR.senvcfg), value & environmentMask(hart))),
  }),
  row("menvcfg", "priv §3.1.18", {
    read: (hart) => hart.stored(CSR.menvcfg) & hart.mask,
    write: (hart, value) => writeMenvcfg(hart, hart.xlen === 64 ? value : (hart.stored(CSR.menvcfg) & ~LOW) | value),
  }),
  row("menvcfgh", "priv §3.1.18", {
    read: (hart) => hart.stored(CSR.menvcfg) >> 32n,
    write: (hart, value) => writeMenvcfg(hart, (hart.stored(CSR.menvcfg) & LOW) | (value << 32n)),
  }),
  row("stimecmp", "Sstc §2.1", {
    extension: "sstc",
    read: (hart) => hart.stored(CSR.stimecmp) & hart.mask,
    write: (hart, value) => writeStimecmp(hart, hart.xlen === 64 ? value : (hart.stored(CSR.stimecmp) & ~LOW) | value),
    refused: timerRefused,
  }),
  row("stimecmph", "Sstc §2.1", {
    extension: "sstc",
    read: (hart) => hart.stored(CSR.stimecmp) >> 32n,
    write: (hart, value) => writeStimecmp(hart, (hart.stored(CSR.stimecmp) & LOW) | (value << 32n)),
    refused: timerRefused,
  }),
  ...Array.from({ length: 16 }, (_, n) => configuration(n)),
  ...Array.from({ length: 64 }, (_, n) => address(n)),
];
