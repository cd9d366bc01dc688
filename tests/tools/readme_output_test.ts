import { assertEquals, assertGreater } from "@std/assert";
import { withRealOutput, withSupportMatrix } from "../../tools/readme_output.ts";
import { supportColumns, supportedIn, supportRows, supportTestName } from "../../tools/support_matrix.ts";

const readme = Deno.readTextFileSync("README.md");

Deno.test("README: every output shown is what the command prints now", async () => {
  assertEquals(await withRealOutput(readme), readme, "deno run -A tools/readme_output.ts renews it");
});

Deno.test("README: the support matrix is the one that its tests are made from", async () => {
  assertEquals(await withSupportMatrix(readme), readme, "deno run -A tools/readme_output.ts renews it");
  for (const row of supportRows) {
    for (const column of supportColumns) {
      assertEquals(readme.includes(`"${supportTestName(row, column)}"`), supportedIn(row, column));
    }
  }
});

Deno.test("README: every tick of the support matrix names a test that is there", () => {
  const made = new Set(supportRows.flatMap((row) => supportColumns.map((column) => supportTestName(row, column))));
  const cited = [...readme.matchAll(/\[✓\]\((tests\/[a-z0-9_/]+\.ts) "(.*?)"\)/g)];
  assertGreater(cited.length, 10);
  for (const [, file, name] of cited) {
    const found = made.has(name!) && file === "tests/guest/support_matrix_test.ts" ||
      Deno.readTextFileSync(file!).includes(name!);
    assertEquals(found, true, `${file} has no test called ${name}`);
  }
});
