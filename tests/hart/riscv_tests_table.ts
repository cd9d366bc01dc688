/**
 * Runs the riscv-tests programs on every engine and writes the result to docs/RISCV_TESTS.md.
 *
 * ```sh
 * RISCV_TESTS=riscv-tests/isa deno run -A tests/hart/riscv_tests_table.ts
 * ```
 *
 * @module
 */
import { engineNames } from "../../vm/machine.ts";
import { isasOf, type RiscvTest, riscvTests, runRiscvTest, suites } from "../support/riscv_tests.ts";
import { runTool } from "../support/tools.ts";

const DOCUMENT = new URL("../../docs/RISCV_TESTS.md", import.meta.url);

/** One row: the program, and its verdict on each engine. */
async function row(dir: string, test: RiscvTest): Promise<string[]> {
  const cells = engineNames.map(async (engine) => {
    const verdicts = [];
    for (const isa of isasOf(test)) verdicts.push({ isa, ...await runRiscvTest(dir, test, isa, engine) });
    const failed = verdicts.filter((v) => !v.passed).map((v) => `**${v.text}** (${v.isa})`);
    return failed.length > 0 ? failed.join(", ") : "pass";
  });
  return [test.name, ...await Promise.all(cells)];
}

function line(cells: readonly string[]): string {
  return `| ${cells.join(" | ")} |`;
}

async function document(dir: string): Promise<string> {
  const commit = (await runTool("git", ["-C", dir, "rev-parse", "HEAD"]))?.stdout.trim();
  if (!commit) throw new Error(`${dir}: expected a clone of riscv-tests, whose commit git can tell`);
  const rows: string[][] = [];
  for (const test of riscvTests(dir)) rows.push(await row(dir, test));
  const passed = rows.filter((r) => r.slice(1).every((cell) => cell === "pass")).length;
  return `# riscv-tests

Result of the [riscv-tests](https://github.com/riscv-software-src/riscv-tests) programs on every engine: ${rows.length}
programs, ${passed} pass, ${rows.length - passed} fail.

- Run on ${new Date().toISOString().slice(0, 10)}, riscv-tests at commit \`${commit}\`.
- Suites ${
    suites.map((s) => `\`${s}\``).join(", ")
  } for RV32 and RV64, in physical (\`-p-\`) and virtual memory (\`-v-\`).
- Programs that do not need compressed instructions run with and without them, as jumps trap differently then, and those
  of \`si\` and \`mi\` also with F and D. "pass" means that all of these runs passed.

Each program has a symbol \`tohost\`, so that one runs by itself too, on the ISA that a machine has by default:
\`deno run -A vm/main.ts path/to/riscv-tests/isa/rv64ui-v-add\` ends with status 0, or with the number of the case that
failed. To run all of them again: build them (\`./configure && make isa\` in their directory), then

\`\`\`sh
RISCV_TESTS=path/to/riscv-tests/isa deno test -A tests/hart/riscv_tests_test.ts
RISCV_TESTS=path/to/riscv-tests/isa deno run -A tests/hart/riscv_tests_table.ts # writes this page
\`\`\`

${[line(["program", ...engineNames]), line(["---", ...engineNames.map(() => "---")]), ...rows.map(line)].join("\n")}
`;
}

if (import.meta.main) {
  const dir = Deno.env.get("RISCV_TESTS");
  if (dir === undefined) throw new Error("RISCV_TESTS: expected the directory of the built programs");
  Deno.writeTextFileSync(DOCUMENT, await document(dir));
  const formatted = await runTool(Deno.execPath(), ["fmt", "--quiet", decodeURIComponent(DOCUMENT.pathname)]);
  if (!formatted?.ok) throw new Error(`deno fmt: ${formatted?.stderr}`);
}
