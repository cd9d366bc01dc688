/** The guest's generated headers say what the tables say. */

import { assertEquals } from "@std/assert";
import { generatedDir, generatedHeaders } from "../../tools/gen_headers.ts";

for (const [name, text] of generatedHeaders()) {
  Deno.test(`${generatedDir}/${name} is what its table gives (deno run -A tools/gen_headers.ts)`, async () => {
    assertEquals(await Deno.readTextFile(new URL(`../../${generatedDir}/${name}`, import.meta.url)), text);
  });
}
