/**
 * Writes docs/RULES.md from the tables of the driver checker.
 *
 * ```sh
 * deno run -A tools/gen_rules_doc.ts
 * ```
 *
 * @module
 */
import { rulesDocument } from "../vm/check/document.ts";

if (import.meta.main) {
  Deno.writeTextFileSync(new URL("../docs/RULES.md", import.meta.url), rulesDocument());
}
