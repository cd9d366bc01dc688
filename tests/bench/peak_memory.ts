/**
 * Ringside's command in this process; at its end the process's peak resident memory in bytes is written to a file.
 *
 *     deno run -A tests/bench/peak_memory.ts OUTPUT [ARGUMENTS OF vm/main.ts]
 *
 * Without arguments nothing is run: what Deno itself needs.
 */
import { field } from "./host.ts";

/** Bytes of the process's largest resident set so far (Linux). */
function peak(): number {
  const text = field("/proc/self/status", "VmHWM");
  const kib = text?.match(/^(\d+) kB$/)?.[1];
  if (kib === undefined) throw new Error(`peak_memory: /proc/self/status says ${text} for VmHWM`);
  return Number(kib) * 1024;
}

if (import.meta.main) {
  const [output, ...args] = Deno.args;
  if (output === undefined) throw new Error("usage: peak_memory.ts OUTPUT [ARGUMENTS]");
  let status = 0;
  if (args.length > 0) {
    const { command } = await import("../../vm/cli/command.ts");
    status = await command(args, import.meta.url);
  }
  Deno.writeTextFileSync(output, String(peak()));
  Deno.exit(status);
}
