/**
 * Whole commit logs against Spike's, line by line, for the unprivileged riscv-tests programs: where `SPIKE` names the
 * simulator and `RISCV_TESTS` the directory of the built programs.
 */
import { assert, assertEquals } from "@std/assert";
import { type Image, readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { Machine } from "../../vm/machine.ts";
import { CommitWriter } from "../../vm/trace/commit.ts";
import { MemorySink } from "../../vm/trace/sink.ts";
import { TestPort } from "../support/char_port.ts";
import { riscvTests } from "../support/riscv_tests.ts";

const spike = Deno.env.get("SPIKE");
const dir = Deno.env.get("RISCV_TESTS");

const SUITES: readonly string[] = ["ui", "um", "ua", "uc"];

/** Programs whose logs differ for a reason that both machines are entitled to. */
const DIFFERENT: Readonly<Record<string, string>> = {
  "ui-p-ma_data": "misaligned accesses trap in Spike",
  "ua-p-lrsc": "Spike drops the reservation where its slices of a hart's turn end",
};

/** Lines with what this machine does not have: PMP entries. */
const OTHER_VALUE = / c9\d\d_pmp\w+ 0x[0-9a-f]+/;

/** The lines from the program's first instruction to its verdict in `tohost`. */
function run(log: string, tohost: bigint): string[] {
  const verdict = new RegExp(` mem 0x0*${tohost.toString(16)} 0x0000000[0-9a-f]$`);
  const lines = log.split("\n").map((line) => line.replace(OTHER_VALUE, ""));
  const start = lines.findIndex((line) => /^core {3}0: 3 0x0*80000000 /.test(line));
  const end = lines.findIndex((line) => verdict.test(line));
  assert(start >= 0 && end > start, `no run to a verdict in ${lines.length} lines`);
  return lines.slice(start, end + 1);
}

async function theirs(program: string, isa: string): Promise<string> {
  const file = await Deno.makeTempFile();
  try {
    // A program without a verdict would run, and log, for ever.
    const args = [`--isa=${isa}`, "--instructions=200000", "--log-commits", `--log=${file}`, program];
    await new Deno.Command(spike!, { args, stdout: "null", stderr: "null" }).output();
    return await Deno.readTextFile(file);
  } finally {
    await Deno.remove(file);
  }
}

async function ours(image: Image, xlen: 32 | 64, isa: string): Promise<string> {
  const machine = new Machine({ isa: parseIsa(isa), memorySize: 1 << 20, uart: new TestPort(), slots: [] });
  const sink = new MemorySink();
  const writer = new CommitWriter(sink, { xlen });
  machine.events.onRecords((view, count) => writer.records(view, count));
  machine.load(image);
  await machine.run({ steps: 20_000 });
  writer.flush();
  return sink.text();
}

const missing = spike === undefined ? "SPIKE" : dir === undefined ? "RISCV_TESTS" : undefined;
const title = "commit: whole logs of the unprivileged riscv-tests programs are Spike's";
if (missing !== undefined) {
  Deno.test({ name: `${title} (skipped: ${missing} is not set)`, ignore: true, fn() {} });
} else {
  Deno.test(title, async (t) => {
    const chosen = riscvTests(dir!).filter((test) => SUITES.includes(test.suite));
    assert(chosen.length > 0, `no programs in ${dir}`);
    for (const test of chosen) {
      const reason = DIFFERENT[test.name.slice(4)];
      await t.step({
        name: reason === undefined ? test.name : `${test.name} (skipped: ${reason})`,
        ignore: reason !== undefined,
        fn: async () => {
          const program = `${dir}/${test.name}`;
          const isa = `rv${test.xlen}imac_zicntr`;
          const image = readImage(Deno.readFileSync(program), { name: test.name });
          const tohost = image.symbols.addressOf("tohost");
          assert(tohost !== undefined, "no symbol tohost");
          assertEquals(run(await ours(image, test.xlen, isa), tohost), run(await theirs(program, isa), tohost));
        },
      });
    }
  });
}
