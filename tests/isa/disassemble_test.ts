import { assert, assertEquals } from "@std/assert";
import { csrRows } from "../../vm/hart/csr.ts";
import { csrName, csrNames, csrNumber } from "../../vm/isa/csr_names.ts";
import { Decoder } from "../../vm/isa/decode.ts";
import { Disassembler } from "../../vm/isa/disassemble.ts";
import { registerName, registerNumber } from "../../vm/isa/names.ts";
import type { Xlen } from "../../vm/isa/row.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { withTool } from "../support/tools.ts";
import { binutils, objdump } from "../support/binutils.ts";
import { Random } from "../support/random.ts";
import { foreignIsa, normalForeign, normalText, randomWord } from "./words.ts";

const XLENS: readonly Xlen[] = [32, 64];
const isaOf = (xlen: Xlen) => parseIsa(`rv${xlen}gc_zfh`);

Deno.test("registers have the calling convention's names", () => {
  const table = "zero ra sp gp tp t0 t1 t2 s0 s1 a0 a1 a2 a3 a4 a5 a6 a7 s2 s3 s4 s5 s6 s7 s8 s9 s10 s11 t3 t4 t5 t6";
  table.split(" ").forEach((name, n) => {
    assertEquals(registerName(n), name);
    assertEquals(registerNumber(name), n);
    assertEquals(registerNumber(`x${n}`), n);
  });
  assertEquals(registerNumber("fp"), 8);
  assertEquals(registerNumber("x32"), undefined);
});

Deno.test("CSR names and numbers are unique and found both ways", () => {
  assertEquals(new Set(csrNames().map((c) => c.number)).size, csrNames().length);
  assertEquals(new Set(csrNames().map((c) => c.name)).size, csrNames().length);
  for (const { number, name } of csrNames()) {
    assertEquals(csrName(number), name);
    assertEquals(csrNumber(name), number);
    assert(number >= 0 && number < 4096);
  }
  // Spot checks from priv §2.2, tables 3 to 8.
  const known: [string, number][] = [
    ["fcsr", 0x003],
    ["sstatus", 0x100],
    ["stval", 0x143],
    ["stimecmp", 0x14d],
    ["satp", 0x180],
    ["mstatus", 0x300],
    ["mtvec", 0x305],
    ["mstatush", 0x310],
    ["mcountinhibit", 0x320],
    ["mip", 0x344],
    ["pmpcfg15", 0x3af],
    ["pmpaddr63", 0x3ef],
    ["mseccfg", 0x747],
    ["dpc", 0x7b1],
    ["mcycle", 0xb00],
    ["minstret", 0xb02],
    ["mhpmcounter31h", 0xb9f],
    ["time", 0xc01],
    ["hpmcounter31", 0xc1f],
    ["mhartid", 0xf14],
    ["mconfigptr", 0xf15],
  ];
  for (const [name, number] of known) assertEquals(csrNumber(name), number, name);
});

Deno.test("the hart's CSRs have the names that text has for them", () => {
  const rv32 = new Set(csrNames().filter((c) => c.rv32).map((c) => c.number));
  for (const { number, name, xlen } of csrRows()) {
    assertEquals(csrName(number), name, `CSR 0x${number.toString(16)}`);
    assertEquals(xlen === 32, rv32.has(number), `${name} exists on RV32 only`);
  }
});

Deno.test(withTool("CSR names are objdump's, where it knows one", binutils, async () => {
  const words = Array.from({ length: 4096 }, (_, n) => (n << 20 | 2 << 12 | 10 << 7 | 0x73) >>> 0);
  const texts = await objdump("rv64imac_zicsr", words);
  let compared = 0;
  texts.forEach(({ text }, number) => {
    const theirs = /^csrrs a0,([a-z]\w*),zero$/.exec(text)?.[1];
    const ours = csrName(number);
    if (theirs === undefined || ours === undefined) return;
    assertEquals(ours, theirs, `CSR 0x${number.toString(16)}`);
    compared++;
  });
  assert(compared > 280, `only ${compared} names were compared`);
}));

Deno.test("canonical text is the row's own name and operands", () => {
  const d = new Disassembler(isaOf(64));
  const texts: [number, string][] = [
    [0x00b50633, "add a2, a0, a1"],
    [0xff010113, "addi sp, sp, -16"],
    [0x00008067, "jalr zero, 0(ra)"],
    [0xfffff537, "lui a0, 0xfffff"],
    [0x00813083, "ld ra, 8(sp)"],
    [0x00113423, "sd ra, 8(sp)"],
    [0x1605a52f, "lr.w.aqrl a0, (a1)"],
    [0x04b6352f, "amoadd.d.aq a0, a1, (a2)"],
    [0x1ab6252f, "sc.w.rl a0, a1, (a2)"],
    [0x30002573, "csrrs a0, mstatus, zero"],
    [0x7c01d073, "csrrwi zero, 0x7c0, 3"],
    [0x0310000f, "fence rw, w"],
    [0x0ff0000f, "fence iorw, iorw"],
    [0x8330000f, "fence.tso"],
    [0x0100000f, "pause"],
    [0x0000100f, "fence.i"],
    [0x12b50073, "sfence.vma a0, a1"],
    [0x717d, "c.addi16sp sp, -16"],
    [0x757d, "c.lui a0, 0xfffff"],
    [0x4512, "c.lwsp a0, 4(sp)"],
    [0x852e, "c.mv a0, a1"],
    [0x0001, "c.nop"],
    [0x0000, ".short 0x0000"],
    [0xffffffff, ".word 0xffffffff"],
    [0x02c58553, "fadd.d fa0, fa1, fa2, rne"],
    [0x00c5f553, "fadd.s fa0, fa1, fa2"],
    [0x6ac5f543, "fmadd.d fa0, fa1, fa2, fa3"],
    [0xd2050553, "fcvt.d.w fa0, a0"],
    [0xc2051553, "fcvt.w.d a0, fa0, rtz"],
    [0x22a50553, "fsgnj.d fa0, fa0, fa0"],
    [0x00853507, "fld fa0, 8(a0)"],
    // Rounding modes 5 and 6 are reserved.
    [0x02c5d553, ".word 0x02c5d553"],
    // The upper half does not belong to a compressed instruction.
    [0xabcd852e | 0, "c.mv a0, a1"],
  ];
  for (const [word, text] of texts) assertEquals(d.text(word, 0n), text);
});

Deno.test("aliases are the usual names, compressed or not", () => {
  const d = new Disassembler(isaOf(64), { aliases: true });
  const texts: [number, string][] = [
    [0x00000013, "nop"],
    [0x0001, "nop"],
    [0xfff00513, "li a0, -1"],
    [0x557d, "li a0, -1"],
    [0x00058513, "mv a0, a1"],
    [0x852e, "mv a0, a1"],
    [0xfff5c513, "not a0, a1"],
    [0x40b00533, "neg a0, a1"],
    [0x0005851b, "sext.w a0, a1"],
    [0x0ff5f513, "zext.b a0, a1"],
    [0x0015b513, "seqz a0, a1"],
    [0x00b03533, "snez a0, a1"],
    [0x00008067, "ret"],
    [0x8082, "ret"],
    [0x00050067, "jr a0"],
    [0x000500e7, "jalr a0"],
    [0x9502, "jalr a0"],
    [0x30002573, "csrr a0, mstatus"],
    [0x30051073, "csrw mstatus, a0"],
    [0x30046073, "csrsi mstatus, 8"],
    [0xc0102573, "rdtime a0"],
    [0xc0202573, "rdinstret a0"],
    [0xc0001073, "unimp"],
    [0x22b58553, "fmv.d fa0, fa1"],
    [0x20b59553, "fneg.s fa0, fa1"],
    [0x22b5a553, "fabs.d fa0, fa1"],
    [0x00302573, "frcsr a0"],
    [0x00251073, "fsrm a0"],
    [0x0ff0000f, "fence"],
    [0x12000073, "sfence.vma"],
    [0x717d, "addi sp, sp, -16"],
    [0x4512, "lw a0, 4(sp)"],
    [0x9002, "ebreak"],
  ];
  for (const [word, text] of texts) assertEquals(d.text(word, 0n), text);
});

Deno.test("jump targets are absolute, wrap at XLEN, and carry a symbol where there is one", () => {
  const symbol = (addr: bigint) => addr === 0x8000_0010n ? "main+0x10" : undefined;
  const wide = new Disassembler(isaOf(64), { aliases: true, symbol });
  assertEquals(wide.text(0x0100006f, 0x8000_0000n), "j 0x80000010 <main+0x10>");
  assertEquals(wide.text(0x0100006f, 0x8000_0004n), "j 0x80000014");
  assertEquals(wide.text(0xff9ff0ef, 0n), "jal 0xfffffffffffffff8");
  assertEquals(wide.text(0x00050463, 0xffff_ffff_8000_0000n), "beqz a0, 0xffffffff80000008");
  const narrow = new Disassembler(isaOf(32));
  assertEquals(narrow.text(0xff9ff0ef, 0n), "jal ra, 0xfffffff8");
  assertEquals(narrow.text(0x2001, 0x100n), "c.jal 0x100");
});

Deno.test("what belongs to the other XLEN or to no chosen extension is no instruction", () => {
  assertEquals(new Disassembler(isaOf(32)).text(0x00813083, 0n), ".word 0x00813083"); // ld
  assertEquals(new Disassembler(isaOf(32)).text(0x02051513, 0n), ".word 0x02051513"); // slli by 32
  assertEquals(new Disassembler(parseIsa("rv64i")).text(0x02b50533, 0n), ".word 0x02b50533"); // mul
  assertEquals(new Disassembler(parseIsa("rv64i")).text(0x852e, 0n), ".short 0x852e"); // c.mv
});

/**
 * Halfwords that objdump names and the manual does not, or names differently (unpriv §26.5, §26.8): the all-zero word is
 * illegal, a zero-immediate c.addi16sp is reserved, shifts by 32 and more are custom on RV32; a shift by zero is a hint
 * that objdump calls by its RV128 name; a c.nop with operands is a hint whose operands the row leaves out; binutils 2.40
 * does not know Zihintntl.
 */
function known16(word: number, ours: string, theirs: string): boolean {
  if (word === 0) return ours === ".short 0" && theirs === "c.unimp";
  if (word === 0x6101) return ours === ".short 24833" && theirs === "c.addi16sp sp,0";
  if (/^c\.s(ll|rl|ra)i64 /.test(theirs)) return ours === `${theirs.replace("64", "")},0`;
  if (/^c\.addi zero,/.test(theirs)) return ours === "c.nop";
  if (/^c\.add zero,/.test(theirs)) return ours.startsWith("c.ntl.");
  return false;
}

/**
 * What objdump says of no chosen extension: instructions that priv 1.12 no longer has, and shifts and bit numbers of 32 or
 * more on RV32, which are reserved there (unpriv §2.4.1). And a CSR that only one of the two has a name for.
 */
function foreign32(word: number, ours: string, theirs: string): boolean {
  if (/^([uhd]ret$|sfence\.vm\b)/.test(theirs)) return ours.startsWith(".word");
  if (/^(sll|srl|sra|ror|bclr|bext|binv|bset)i /.test(theirs)) {
    return ours.startsWith(".word") && (word & 1 << 25) !== 0;
  }
  const csr = /^(csr\w+ \w+),(\w+),/.exec(ours);
  return csr !== null && /^[a-z]/.test(csr[2]!) && theirs === ours.replace(csr[2]!, String(word >>> 20));
}

/**
 * A fence whose reserved fields are not zero is to be executed as if they were (unpriv §2.7, §6): an instruction here, a
 * data word to objdump.
 */
function known32(word: number, ours: string, theirs: string): boolean {
  const reserved = (word & 0x7000) === 0 ? 0xf00f_8f80 : 0xffff_8f80;
  return /^fence(\.i)?( |$)/.test(ours) && theirs.startsWith(".word") && (word & reserved) !== 0;
}

/** A rounding mode other than rne where nothing is rounded: objdump wants none. And a reserved one, which it shows. */
function rounding32(ours: string, theirs: string): boolean {
  if (/^f.*,unknown$/.test(theirs)) return ours.startsWith(".word");
  return /^fcvt\.(d\.(w|wu|s|h)|s\.h) .*,.*,/.test(ours) && theirs.startsWith(".word");
}

for (const xlen of XLENS) {
  Deno.test(withTool(`all 16-bit words read as objdump reads them, rv${xlen}gc_zfh`, binutils, async () => {
    const d = new Disassembler(isaOf(xlen));
    const words = Array.from({ length: 65536 }, (_, i) => i).filter((w) => (w & 3) !== 3);
    const differences: string[] = [];
    for (const [i, foreign] of (await objdump(`rv${xlen}gc_zfh`, words)).entries()) {
      const word = words[i]!;
      const ours = normalText(d.text(word, BigInt(foreign.pc)));
      const theirs = normalForeign(foreign.text);
      if (ours === theirs || known16(word, ours, theirs)) continue;
      const custom = xlen === 32 && /^c\.s(ll|rl|ra)i .*,(3[2-9]|[45]\d|6[0-3])$/.test(theirs);
      if (custom && ours.startsWith(".short")) continue;
      differences.push(`0x${word.toString(16)}: ours ${ours}, objdump's ${theirs}`);
    }
    assertEquals(differences.slice(0, 20), []);
  }));

  Deno.test(withTool(`sampled 32-bit words read as objdump reads them, rv${xlen}`, binutils, async () => {
    const isa = parseIsa(foreignIsa(xlen));
    const decoder = new Decoder(isa);
    const d = new Disassembler(isa);
    const random = new Random(32 + xlen);
    const words: number[] = [];
    for (const row of isa.rows.filter((r) => decoder.decode(randomWord(r, decoder, random) ?? 0)?.length === 4)) {
      for (let i = 0; i < 40; i++) {
        const word = randomWord(row, decoder, random);
        if (word !== undefined) words.push(word);
      }
    }
    // And words that no row made, most of them close to one: only then is what is illegal compared too.
    for (let i = 0; i < 10_000; i++) {
      const word = i % 2 === 0 ? random.bits() | 3 : random.pick(words) ^ (1 << random.between(2, 31));
      // Longer instructions (bits 4..2 all ones) are not told to the foreign assembler as four bytes.
      if ((word & 0x1c) !== 0x1c) words.push(word >>> 0);
    }
    const differences: string[] = [];
    for (const [i, foreign] of (await objdump(foreignIsa(xlen), words)).entries()) {
      const word = words[i]!;
      const ours = normalText(d.text(word, BigInt(foreign.pc)));
      const theirs = normalForeign(foreign.text);
      if (ours === theirs || known32(word, ours, theirs) || foreign32(word, ours, theirs)) continue;
      if (rounding32(ours, theirs)) continue;
      differences.push(`0x${word.toString(16)}: ours ${ours}, objdump's ${theirs}`);
    }
    assertEquals(differences.slice(0, 20), []);
  }));
}
