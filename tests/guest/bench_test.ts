/** The bench kernels' expected checksums are what the host's own compiler makes of the same sources. */

import { assertEquals } from "@std/assert";
import { guestPrograms } from "../../tools/guest_images.ts";
import { runTool, toolVersion, withTool } from "../support/tools.ts";

const root = new URL("../../guest/", import.meta.url).pathname;
const cc = { command: "cc", version: await toolVersion("cc") };

async function hostAgrees(kernel: string, flags: readonly string[]): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    const args = ["-O1", ...flags, "-o", `${dir}/kernel`, `${root}bench/host.c`, `${root}${kernel}`];
    const built = await runTool("cc", args);
    assertEquals(built?.stderr, "");
    const ran = await runTool(`${dir}/kernel`, []);
    assertEquals([ran?.stdout.trim().split(" ").slice(2).join(" "), ran?.ok], ["as expected", true], ran?.stdout);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

for (const program of guestPrograms.filter((p) => p.kind === "bench")) {
  Deno.test(withTool(`${program.name} on the host`, cc, () => hostAgrees(program.main, [])));
}
// The one kernel that does less on RV32.
Deno.test(withTool("bench_muldiv_hash as on RV32", cc, () => hostAgrees("bench/muldiv_hash.c", ["-DNARROW"])));
