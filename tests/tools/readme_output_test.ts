import { assertEquals, assertGreater } from "@std/assert";
import { withRealOutput } from "../../tools/readme_output.ts";

const readme = Deno.readTextFileSync("README.md");

Deno.test("README: every output shown is what the command prints now", async () => {
  assertEquals(await withRealOutput(readme), readme, "deno run -A tools/readme_output.ts renews it");
});

Deno.test("README: every tick of the support matrix names a test that is there", () => {
  const cited = [...readme.matchAll(/\[✓\]\((tests\/[a-z0-9_/]+\.ts) "(.*?)"\)/g)];
  assertGreater(cited.length, 10);
  for (const [, file, name] of cited) {
    const found = Deno.readTextFileSync(file!).includes(name!);
    assertEquals(found, true, `${file} has no test called ${name}`);
  }
});
