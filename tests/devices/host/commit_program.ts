/** Writes an overlay out, once it has said so: `commit_program.ts BASE OVERLAY`. */
import { commitOverlay } from "../../../devices/host/overlay_file.ts";

if (import.meta.main) {
  const [base = "", overlay = ""] = Deno.args;
  Deno.stdout.writeSync(new TextEncoder().encode("begins\n"));
  commitOverlay(overlay, base);
}
