import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { deathReport, type Ending, type HartView, type ReportInput } from "../../vm/trace/death.ts";
import { TRANSLATED } from "../../vm/trace/recent.ts";

/** A hart whose registers count up and whose CSRs are given by name. */
function hart(csrs: Readonly<Record<string, bigint>> = {}, more: Partial<HartView> = {}): HartView {
  const values = new Map(Object.entries(csrs).map(([name, value]) => [csrNumber(name), value]));
  const xlen = more.xlen ?? 64;
  return {
    index: 0,
    xlen,
    pc: 0x8000000cn,
    privilege: Privilege.M,
    waiting: false,
    x: (n) => n === 0 ? 0n : BigInt.asUintN(xlen, 0x8000_0000n + BigInt(n)),
    f: (n) => 0x4000_0000_0000_0000n + BigInt(n),
    csr: (n) => n === csrNumber("satp") && xlen === 32 ? undefined : values.get(n) ?? 0n,
    ...more,
  };
}

const trap = {
  interrupt: false,
  cause: 5,
  tval: 0x30000000n,
  epc: 0x8000002an,
  from: Privilege.M,
  to: Privilege.M,
  handler: 0n,
};

function report(ending: Ending, harts: readonly HartView[] = [hart()], more: Partial<ReportInput> = {}): string[] {
  const isa = parseIsa("rv64imac");
  return deathReport({ ending, isa, harts, hart: 0, steps: 34, recent: [], ...more }).split("\n");
}

Deno.test("death: a whole report", () => {
  const dead = hart({ mstatus: 0xa00001800n, mcause: 1n, mip: 0x80n, mtvec: 1n }, { pc: 0n });
  const lines = report({ reason: "died", what: "no-handler", trap }, [dead], {
    recent: [{ pc: 0x80000028n, insn: 0xe406 }, { pc: 0x8000002an, insn: 0x0002a503 }],
    symbolize: (addr) =>
      addr < 0x80000010n || addr >= 0x80000100n ? undefined : { name: "reader", offset: addr & 0xfn },
    describe: (addr) => addr === 0x30000000n ? "nothing is there" : undefined,
    timer: () => ({ mtime: 100n, mtimecmp: 15_100n, hz: 10_000_000 }),
  });
  assertEquals(lines, [
    "The guest died: a trap without a handler. mtvec leads to 0x0, where nothing can be fetched.",
    "It began with: load access fault in M mode at 0x8000002a <reader+0xa>, address 0x30000000 (nothing is there).",
    "Hart 0 is in M mode at 0x0 after 34 instructions.",
    "",
    "last 2 instructions",
    "    80000028  reader+0x8  e406      sd      ra, 8(sp)",
    "  > 8000002a  reader+0xa  0002a503  lw      a0, 0(t0)                 load access fault",
    "",
    "registers of hart 0",
    "  zero 0x0000000000000000  s0   0x0000000080000008  a6   0x0000000080000010  s8   0x0000000080000018",
    "  ra   0x0000000080000001  s1   0x0000000080000009  a7   0x0000000080000011  s9   0x0000000080000019",
    "  sp   0x0000000080000002  a0   0x000000008000000a  s2   0x0000000080000012  s10  0x000000008000001a",
    "  gp   0x0000000080000003  a1   0x000000008000000b  s3   0x0000000080000013  s11  0x000000008000001b",
    "  tp   0x0000000080000004  a2   0x000000008000000c  s4   0x0000000080000014  t3   0x000000008000001c",
    "  t0   0x0000000080000005  a3   0x000000008000000d  s5   0x0000000080000015  t4   0x000000008000001d",
    "  t1   0x0000000080000006  a4   0x000000008000000e  s6   0x0000000080000016  t5   0x000000008000001e",
    "  t2   0x0000000080000007  a5   0x000000008000000f  s7   0x0000000080000017  t6   0x000000008000001f",
    "  a6 = reader, a7 = reader+0x1, s2 = reader+0x2, s3 = reader+0x3, s4 = reader+0x4, s5 = reader+0x5",
    "  s6 = reader+0x6, s7 = reader+0x7, s8 = reader+0x8, s9 = reader+0x9, s10 = reader+0xa",
    "  s11 = reader+0xb, t3 = reader+0xc, t4 = reader+0xd, t5 = reader+0xe, t6 = reader+0xf",
    "",
    "CSRs of hart 0",
    "  mstatus  0x0000000a00001800  SPP=U|MPP=M|FS=off|UXL=64|SXL=64",
    "  mcause   0x0000000000000001  instruction access fault",
    "  mepc     0x0000000000000000",
    "  mtval    0x0000000000000000",
    "  mtvec    0x0000000000000001  MODE=vectored",
    "  mie      0x0000000000000000",
    "  mip      0x0000000000000080  MTIP",
    "  mscratch 0x0000000000000000",
    "",
    "harts",
    "  hart 0  runs  in M mode at 0x0; mie enables nothing, pending MTIP but not enabled in mie; timer in 1.5 ms",
    "",
  ]);
});

Deno.test("death: the other ways to end", () => {
  const first = (ending: Ending) => report(ending)[0];
  const failure = (by?: "finisher" | "sbi" | "htif") => first({ reason: "fail", code: 3, by });
  assertEquals(failure(), "The guest reported failure: code 3, through the test finisher.");
  assertEquals(failure("sbi"), "The guest reported failure: code 3, through a system reset of the built-in SBI.");
  assertEquals(failure("htif"), "The guest reported failure: code 3, through HTIF's tohost.");
  assertEquals(
    first({ reason: "timeout", limit: "--timeout-insns 1000" }),
    "The guest did not end in time: --timeout-insns 1000 ran out.",
  );
  assertEquals(
    first({ reason: "stall" }),
    "The guest stalled: every hart waits for an interrupt, and nothing is left that could raise one.",
  );
  const loop = report({ reason: "died", what: "trap-loop", trap: { ...trap, cause: 2, tval: 0xffn, to: Privilege.S } });
  assertEquals(loop.slice(0, 2), [
    "The guest died: its trap handler traps before it has done anything. stvec leads to 0x0.",
    "It began with: illegal instruction in M mode at 0x8000002a: 0x000000ff, which is no instruction that Ringside knows.",
  ]);
});

Deno.test("death: floating-point registers where they are on, and PMP where it may be the reason", () => {
  const lines = report({ reason: "stall" }, [hart({ mstatus: 0x6000n, fcsr: 0x41n })]);
  assertStringIncludes(lines.join("\n"), "\n  ft0  0x4000000000000000  fs0  0x4000000000000008  fa6 ");
  assertEquals(lines.includes("  fcsr     0x0000000000000041  NX|frm=rdn"), true);
  const died = (from: Privilege, cause: number) =>
    report({ reason: "died", what: "no-handler", trap: { ...trap, from, cause } }).join("\n");
  assertEquals(died(Privilege.U, 1).includes("\n  pmpcfg0 "), true);
  assertEquals(died(Privilege.U, 13).includes("\n  pmpcfg0 "), false);
  assertEquals(died(Privilege.M, 5).includes("\n  pmpcfg0 "), false);
});

Deno.test("death: gaps that translated code leaves are told, with the way to have none", () => {
  const one = { pc: 0x80000028n, insn: 0xe406 };
  const title = (...recent: ReportInput["recent"]) =>
    report({ reason: "timeout", limit: "--timeout 1" }, [hart()], { recent }).find((line) => line.startsWith("last "));
  assertEquals(title(one, one), "last 2 instructions");
  assertEquals(
    title({ ...one, note: TRANSLATED }, one),
    "last instructions, as far as they are remembered (--engine interpreter remembers all 32)",
  );
});

Deno.test("death: S-mode CSRs where the guest uses S mode, and those that the hart has", () => {
  const names = (one: HartView) => {
    const lines = report({ reason: "stall" }, [one]);
    const from = lines.indexOf("CSRs of hart 0") + 1;
    return lines.slice(from, lines.indexOf("", from)).map((line) => line.trim().split(" ")[0]);
  };
  assertEquals(names(hart()).includes("satp"), false);
  assertEquals(names(hart({ stvec: 4n })).includes("satp"), true);
  assertEquals(names(hart({}, { privilege: Privilege.S })).includes("sepc"), true);
  assertEquals(names(hart({ stvec: 4n }, { xlen: 32 })).includes("satp"), false);
});

Deno.test("death: what a hart waits for, and what keeps it waiting", () => {
  const waits = (
    csrs: Readonly<Record<string, bigint>>,
    more: Partial<HartView> = {},
    timer?: ReportInput["timer"],
  ) => {
    const lines = report({ reason: "stall" }, [hart(csrs, { waiting: true, ...more })], { timer });
    const line = lines[lines.indexOf("harts") + 1]!;
    return line.slice(line.indexOf(";") + 2);
  };
  assertEquals(waits({}), "mie enables nothing, nothing pending; nothing can wake it");
  assertEquals(waits({ mie: 0x888n }), "mie enables MSIE|MTIE|MEIE, nothing pending");
  assertEquals(waits({ mie: 0x80n, mip: 0x80n }), "mie enables MTIE, pending MTIP but mstatus.MIE is 0");
  assertEquals(waits({ mie: 0x80n, mip: 0x80n, mstatus: 8n }), "mie enables MTIE, pending MTIP");
  assertEquals(waits({ mie: 0x80n, mip: 0x80n }, { privilege: Privilege.U }), "mie enables MTIE, pending MTIP");
  const delegated = { mie: 2n, mip: 2n, mideleg: 2n };
  assertStringIncludes(waits(delegated), "pending SSIP but delegated to S mode by mideleg, and the hart is in M mode");
  assertStringIncludes(waits(delegated, { privilege: Privilege.S }), "pending SSIP but mstatus.SIE is 0");
  assertEquals(waits({ ...delegated, mstatus: 2n }, { privilege: Privilege.S }).includes("but"), false);
  const timer = (mtimecmp: bigint) => waits({ mie: 0x80n }, {}, () => ({ mtime: 5n, mtimecmp, hz: 10_000_000 }));
  assertEquals(timer(5n).split("; ")[1], "timer due");
  assertEquals(timer(6n).split("; ")[1], "timer in 100 ns");
  assertEquals(timer(30_000_005n).split("; ")[1], "timer in 3 s");
  assertEquals(timer((1n << 64n) - 1n).split("; ")[1], "timer off (mtimecmp is out of reach)");
});

Deno.test("death: several harts, RV32, and a hart that is not there", () => {
  const harts = [0, 1].map((index) => hart({}, { index, xlen: 32, waiting: index === 1 }));
  const lines = report({ reason: "stall" }, harts, { hart: 1, isa: parseIsa("rv32i") });
  assertStringIncludes(lines.join("\n"), "registers of hart 1\n  zero 0x00000000  s0   0x80000008  a6   0x80000010");
  assertStringIncludes(lines.join("\n"), "  hart 0  runs  in M mode at 0x8000000c; mie");
  assertStringIncludes(lines.join("\n"), "  hart 1  waits in M mode at 0x8000000c; mie");
  assertThrows(() => report({ reason: "stall" }, harts, { hart: 2 }), RangeError, "no hart 2 of 2");
});

Deno.test("death: instructions are counted since the last reset, and the report says so", () => {
  const where = (resets: number) =>
    report({ reason: "stall" }, [hart()], { resets }).find((l) => l.startsWith("Hart 0"));
  assertEquals(where(0)?.match(/after.*/)?.[0], "after 34 instructions.");
  assertEquals(where(1)?.match(/after.*/)?.[0], "after 34 instructions since the guest's reset.");
  assertEquals(where(3)?.match(/after.*/)?.[0], "after 34 instructions since the last of 3 resets.");
});
