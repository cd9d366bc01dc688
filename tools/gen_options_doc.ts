/**
 * Writes docs/OPTIONS.md from the table of options.
 *
 * ```sh
 * deno run -A tools/gen_options_doc.ts
 * ```
 *
 * @module
 */
import { optionsDocument } from "../vm/cli/help.ts";

if (import.meta.main) {
  Deno.writeTextFileSync(new URL("../docs/OPTIONS.md", import.meta.url), optionsDocument());
}
