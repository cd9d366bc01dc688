/**
 * Ringside's command: `deno run -A vm/main.ts [OPTIONS] IMAGE`.
 *
 * @module
 */
import { command } from "./cli/command_modules.ts";

if (import.meta.main) Deno.exit(await command(Deno.args, import.meta.url));
