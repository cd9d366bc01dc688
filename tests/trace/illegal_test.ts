import { assertEquals } from "@std/assert";
import { Privilege } from "../../vm/events.ts";
import { csrNumber } from "../../vm/isa/csr_names.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import type { HartView } from "../../vm/trace/hart_view.ts";
import { illegalText } from "../../vm/trace/illegal.ts";

/** A hart with a few CSRs. */
const CSRS = ["mstatus", "mscratch", "mhartid", "cycle", "fflags"].map((name) => csrNumber(name)!);

const EVERYTHING = "rv64gcb_zbc_zicond_zfh_zicboz_zcb";

function why(word: number | string, isa = "rv64imac", mode: Privilege = Privilege.M, status = 0n): string {
  const hart: HartView = {
    index: 0,
    xlen: 64,
    pc: 0n,
    privilege: mode,
    waiting: false,
    x: () => 0n,
    f: () => 0n,
    csr: (n) => n === csrNumber("mstatus") ? status : CSRS.includes(n) ? 0n : undefined,
  };
  const bytes = typeof word === "number" ? undefined : new Assembler(parseIsa(EVERYTHING)).program(word, 0n).bytes;
  const view = bytes && new DataView(bytes.buffer, bytes.byteOffset);
  const bits = view === undefined
    ? word as number
    : view.byteLength === 2
    ? view.getUint16(0, true)
    : view.getUint32(0, true);
  return illegalText({ isa: parseIsa(isa), hart, word: bits, pc: 0x8000_0000n, mode });
}

Deno.test("illegal: an instruction of an extension that is missing", () => {
  const of = (text: string, isa?: string) => why(text, isa).replace(/^0x[0-9a-f]+, /, "");
  const lacks = "which rv64imac_zicntr_zicsr_zifencei lacks (see --isa)";
  assertEquals(why("fadd.d fa0, fa1, fa2"), `0x02c5f553, fadd.d fa0, fa1, fa2: an instruction of D, ${lacks}`);
  assertEquals(of("c.fld fa0, 0(a0)"), `fld fa0, 0(a0): an instruction of D, ${lacks}`);
  assertEquals(of("sh1add a0, a1, a2"), `sh1add a0, a1, a2: an instruction of Zba, ${lacks}`);
  assertEquals(of("rol a0, a1, a2"), `rol a0, a1, a2: an instruction of Zbb or Zbkb, ${lacks}`);
  assertEquals(of("czero.eqz a0, a1, a2"), `czero.eqz a0, a1, a2: an instruction of Zicond, ${lacks}`);
  assertEquals(of("c.sext.b a0"), `sext.b a0, a0: an instruction of Zcb and Zbb, ${lacks}`);
  assertEquals(
    of("mul a0, a1, a2", "rv64ia"),
    "mul a0, a1, a2: an instruction of M, which rv64ia_zicntr_zicsr_zifencei lacks (see --isa)",
  );
  assertEquals(
    of("c.addi a0, 1", "rv64ima"),
    "addi a0, a0, 1: an instruction of C, which rv64ima_zicntr_zicsr_zifencei lacks (see --isa)",
  );
});

Deno.test("illegal: what the hart has, and does not allow now", () => {
  const of = (text: string, mode: Privilege, status?: bigint) =>
    why(text, "rv64gc", mode, status).replace(/^0x[0-9a-f]+, /, "");
  const off = "floating point is off: mstatus.FS is 0";
  assertEquals(of("fadd.s fa0, fa1, fa2", Privilege.M), `fadd.s fa0, fa1, fa2: ${off}`);
  assertEquals(of("fld fa0, 0(a0)", Privilege.M), `fld fa0, 0(a0): ${off}`);
  assertEquals(of("csrr a0, fflags", Privilege.M), `frflags a0: ${off}`);
  assertEquals(of("csrr a0, mscratch", Privilege.S), "csrr a0, mscratch: mscratch is not for S mode");
  assertEquals(of("csrr a0, 0x123", Privilege.M), "csrr a0, 0x123: this hart has no CSR 0x123");
  assertEquals(of("csrr a0, stimecmp", Privilege.M), "csrr a0, stimecmp: this hart has no stimecmp");
  assertEquals(of("csrw mhartid, a0", Privilege.M), "csrw mhartid, a0: mhartid is read-only");
  assertEquals(
    of("csrr a0, cycle", Privilege.U),
    "rdcycle a0: another register, such as mcounteren or mstatus, does not allow it to U mode",
  );
  assertEquals(of("mret", Privilege.S), "mret: S mode may not do this, or not now");
});

Deno.test("illegal: what is no instruction here", () => {
  assertEquals(why(0), "0x0000, which is illegal by definition: as memory reads that nobody wrote");
  assertEquals(why(0x0205_7057), "0x02057057, a vector instruction (V)");
  assertEquals(why(0x0205_7007), "0x02057007, a vector instruction (V)");
  assertEquals(why(0x6205_4073 | 0), "0x62054073, a hypervisor instruction (H)");
  assertEquals(why(0x0000_007b), "0x0000007b, which is no instruction that Ringside knows");
});
