/** Debug information that was damaged, or made to be a trap: nothing is thrown, and every answer comes in time. */
import { assert, assertEquals } from "@std/assert";
import { readElf } from "../../vm/boot/elf.ts";
import { ByteReader, DwarfError } from "../../vm/debug/byte_reader.ts";
import { DebugInfo, type DebugSection } from "../../vm/debug/debug_info.ts";
import { CALLERS_MAX, type StackState } from "../../vm/debug/unwind.ts";
import { Random } from "../support/random.ts";

function sectionsOf(name: string): DebugSection[] {
  const file = Deno.readFileSync(new URL(`../../images/${name}.elf`, import.meta.url));
  return readElf(file, name).sections.filter(({ name }) => name.startsWith(".debug"));
}

/** A stack on which every word is an address of code. */
function stack(pc: bigint, random: Random): StackState {
  const address = () => 0x8000_0000n + BigInt(random.below(0x2000));
  return { xlen: 64, pc, x: (n) => n === 2 ? 0x8010_0000n : address(), word: address };
}

/** Asks everything there is to ask. */
function ask(debug: DebugInfo, random: Random): number {
  let answers = 0;
  for (let i = 0; i < 12; i++) {
    const pc = 0x8000_0000n + BigInt(random.below(0x2000));
    answers += debug.frames(pc).length;
    const callers = debug.callers(stack(pc, random), () => true);
    assert(callers.length <= CALLERS_MAX);
  }
  for (const table of debug.lineTables()) for (const _row of table.rows()) answers++;
  return answers;
}

Deno.test("debug information with damaged bytes says what it can and throws nothing", () => {
  const whole = sectionsOf("uart_hello");
  assert(ask(new DebugInfo(whole, 64), new Random(1)) > 500);
  for (let seed = 0; seed < 40; seed++) {
    const random = new Random(seed);
    const damaged = whole.map((section) => {
      const data = section.data.slice(0, random.chance(20) ? random.below(section.data.length) : undefined);
      for (let n = random.below(12); n > 0 && data.length > 0; n--) {
        data[random.below(data.length)] = random.pick([0, 1, 0x7f, 0x80, 0xff, random.below(256)]);
      }
      return { ...section, data };
    });
    ask(new DebugInfo(damaged, 64), random);
  }
});

Deno.test("debug information of noise throws nothing", () => {
  const names = sectionsOf("uart_hello").map(({ name }) => name);
  for (let seed = 0; seed < 100; seed++) {
    const random = new Random(seed);
    const sections = [...names, ".eh_frame", ".debug_rnglists", ".debug_addr"].map((name) => ({
      name,
      addr: 0x8000_0000n,
      data: Uint8Array.from(
        { length: random.below(400) },
        () => random.chance(30) ? random.below(8) : random.below(256),
      ),
    }));
    ask(new DebugInfo(sections, random.pick([32, 64] as const)), random);
  }
});

/** A section of numbers, each of so many bytes. */
function bytes(...fields: readonly (readonly [value: number, size: number])[]): Uint8Array {
  return Uint8Array.from(
    fields.flatMap(([value, size]) => Array.from({ length: size }, (_, i) => (value >>> (8 * i)) & 255)),
  );
}

Deno.test("a thousand functions with one long list of ranges, and one long name, cost no square", () => {
  const length = 1 << 20;
  const ranges = new Uint8Array(length).fill(1);
  for (let at = 0; at < length; at += 16) ranges[at] = 0;
  const names = new Uint8Array(length).fill(0x61);
  names[length - 1] = 0;
  // A unit with 20 000 functions, each with the ranges and the name.
  const entries = Array.from({ length: 20_000 }, () => [[2, 1], [0, 4], [0, 4]] as [number, number][]).flat();
  const body = bytes([4, 2], [0, 4], [8, 1], [1, 1], [0, 8], [1 << 30, 4], ...entries, [0, 1]);
  const abbreviations = bytes(
    ...[[1, 1], [0x11, 1], [1, 1], [0x11, 1], [1, 1], [0x12, 1], [6, 1], [0, 2]] as [number, number][],
    ...[[2, 1], [0x2e, 1], [0, 1], [0x55, 1], [0x17, 1], [0x03, 1], [0x0e, 1], [0, 2], [0, 1]] as [number, number][],
  );
  const sections: DebugSection[] = [
    { name: ".debug_info", data: new Uint8Array([...bytes([body.length, 4]), ...body]), addr: 0n },
    { name: ".debug_abbrev", data: abbreviations, addr: 0n },
    { name: ".debug_ranges", data: ranges, addr: 0n },
    { name: ".debug_str", data: names, addr: 0n },
  ];
  assertEquals(new DebugInfo(sections, 64).frames(0x1000n).length <= 20_001, true);
});

Deno.test("numbers of debug information: signed and unsigned, and no reading beyond the end", () => {
  const r = new ByteReader(Uint8Array.of(0xe5, 0x8e, 0x26, 0x7f, 0x80, 0x7f, 0xff, 0x00));
  assertEquals([r.uleb(), r.sleb(), r.sleb(), r.sleb()], [624485, -1, -128, 127]);
  for (const read of [() => r.u8(), () => r.uleb(), () => r.text(), () => r.skip(1), () => r.skip(-1)]) {
    try {
      read();
      throw new Error("read beyond the end");
    } catch (error) {
      assert(error instanceof DwarfError, `${error}`);
    }
  }
});
