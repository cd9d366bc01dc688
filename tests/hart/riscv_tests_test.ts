/**
 * The riscv-tests programs on every engine, where `RISCV_TESTS` names the directory of the built ones (their `isa/`).
 * `docs/RISCV_TESTS.md` has the result of the last run and how to repeat it.
 */
import { assert, assertEquals } from "@std/assert";
import { isasOf, riscvTests, runRiscvTest, suites } from "../support/riscv_tests.ts";
import { engineNames } from "../../vm/machine.ts";

const dir = Deno.env.get("RISCV_TESTS");
const tests = dir === undefined ? [] : riscvTests(dir);

for (const engine of engineNames) {
  for (const suite of suites) {
    const name = `riscv-tests: every ${suite} program passes on the ${engine}`;
    if (dir === undefined) {
      Deno.test({ name: `${name} (skipped: RISCV_TESTS does not name a directory)`, ignore: true, fn() {} });
      continue;
    }
    const chosen = tests.filter((t) => t.suite === suite);
    Deno.test(name, async (t) => {
      // Zeroing a cache block is tested on RV64 only.
      for (const xlen of suite === "mzicbo" ? [64] : [32, 64]) {
        assert(chosen.some((c) => c.xlen === xlen), `no rv${xlen}${suite} programs in ${dir}`);
      }
      for (const test of chosen) {
        await t.step(test.name, async () => {
          for (const isa of isasOf(test)) {
            assertEquals((await runRiscvTest(dir, test, isa, engine)).text, "pass", isa);
          }
        });
      }
    });
  }
}
