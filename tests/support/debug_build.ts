/** Firmware built with debug information of a version, where there is a compiler, and what binutils read in it. */
import { compileFlags, linkFlags, targetFlags, toolVersions } from "../../tools/build_guest.ts";
import { guestPrograms, programSources } from "../../tools/guest_images.ts";
import { readElf } from "../../vm/boot/elf.ts";
import { DebugInfo } from "../../vm/debug/debug_info.ts";
import { runTool } from "./tools.ts";

const PREFIX = Deno.env.get("RISCV_PREFIX") ?? "riscv64-unknown-elf-";
const ROOT = new URL("../../", import.meta.url).pathname;

/** The compiler, for `withTool`. */
export const compiler: { readonly command: string; readonly version: string | undefined } = {
  command: "RISC-V GCC",
  version: (await toolVersions())?.compiler,
};

/** Runs a program of the toolchain in the project's folder. */
export async function binutil(tool: string, args: readonly string[], stdin?: string): Promise<string> {
  const result = await runTool(PREFIX + tool, args, stdin);
  if (result?.ok !== true) throw new Error(`${PREFIX}${tool} ${args.join(" ")}: ${result?.stderr}`);
  return result.stdout;
}

/** Builds a small program with `debug` (such as `-gdwarf-5`) in place of its own flags, and hands over the ELF file's path. */
export async function withDebugBuild(
  xlen: 32 | 64,
  debug: readonly string[],
  use: (path: string) => Promise<void>,
): Promise<void> {
  const program = guestPrograms.find(({ name }) => name === "late_callback")!;
  const folder = await Deno.makeTempDir({ prefix: "ringside-debug-" });
  try {
    const path = `${folder}/a.elf`;
    const flags = compileFlags(xlen).filter((flag) => !flag.startsWith("-g"));
    const sources = programSources(program).map((source) => ROOT + source);
    const link = linkFlags(program).map((flag) => flag.replace("guest/", `${ROOT}guest/`));
    const objects = await Promise.all(sources.map(async (source, i) => {
      await binutil("gcc", [...flags, ...debug, "-c", "-o", `${folder}/${i}.o`, source]);
      return `${folder}/${i}.o`;
    }));
    await binutil("gcc", [...targetFlags(xlen), ...link, "-o", path, ...objects, "-lgcc"]);
    await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The debug information of an ELF file. */
export function debugInfo(path: string | URL): DebugInfo {
  const elf = readElf(Deno.readFileSync(path), "test");
  return new DebugInfo(elf.sections, elf.xlen);
}
