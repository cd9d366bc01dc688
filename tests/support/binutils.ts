/** GNU binutils for RISC-V as an outside opinion on instruction text, where they are installed. */

import { runTool, toolVersion } from "./tools.ts";

/** One word as objdump sees it. */
export interface ForeignText {
  /** Without the comment; `.short …` or `.word …` for what is no instruction. */
  readonly text: string;
  readonly pc: number;
}

const AS = "riscv64-unknown-elf-as";
const OBJDUMP = "riscv64-unknown-elf-objdump";

/** What the tests need, for `withTool`. Other versions write some texts differently. */
export const binutils: { readonly command: string; readonly version: string | undefined; readonly accepts: RegExp } = {
  command: OBJDUMP,
  version: await toolVersion(AS) === undefined ? undefined : await toolVersion(OBJDUMP),
  accepts: /\b2\.40\b/,
};

async function run(command: string, args: string[], stdin?: string): Promise<string> {
  const result = await runTool(command, args, stdin);
  if (result?.ok !== true) throw new Error(`${command} failed: ${result?.stderr ?? "it is not installed"}`);
  return result.stdout;
}

/** Assembles `source` (GNU syntax) for `arch`, e.g. `rv64imac_zicsr`, and gives the path of the object file to `use`. */
async function withObject<T>(arch: string, source: string, use: (path: string) => Promise<T>): Promise<T> {
  const folder = await Deno.makeTempDir({ prefix: "ringside-as-" });
  const path = `${folder}/code.o`;
  try {
    const abi = arch.startsWith("rv32") ? "ilp32" : "lp64";
    await run(AS, [`-march=${arch}`, `-mabi=${abi}`, "-o", path, "-"], source);
    return await use(path);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Disassembles `words` (2 or 4 bytes each by their low bits), laid out one after the other from address 0. */
export function objdump(arch: string, words: readonly number[], aliases = false): Promise<ForeignText[]> {
  const source = words.map((w) => (w & 3) === 3 ? `.insn 4, ${w >>> 0}` : `.insn 2, ${w & 0xffff}`).join("\n") + "\n";
  return withObject(arch, source, async (path) => {
    const args = ["-d", "-z", ...(aliases ? [] : ["-M", "no-aliases"]), path];
    const lines = (await run(OBJDUMP, args)).split("\n");
    const texts: ForeignText[] = [];
    for (const line of lines) {
      const [, pc, rest] = /^\s*([0-9a-f]+):\s+[0-9a-f]{4,8}\s+(.*)$/.exec(line) ?? [];
      if (pc === undefined) continue;
      const text = rest!.replace(/#.*$/, "").replace(/<.*>/, "").replace(/\s+/g, " ").trim();
      texts.push({ text, pc: parseInt(pc, 16) });
    }
    if (texts.length !== words.length) throw new Error(`objdump gave ${texts.length} lines for ${words.length} words`);
    return texts;
  });
}

/** Machine code that GNU as makes of `source`, as objdump's words in order. */
export function assembleForeign(arch: string, source: string): Promise<number[]> {
  return withObject(arch, source, async (path) => {
    const lines = (await run(OBJDUMP, ["-d", "-z", "-j", ".text", path])).split("\n");
    return lines.map((l) => /^\s*[0-9a-f]+:\s+([0-9a-f]{4,8})\s/.exec(l)?.[1])
      .filter((w) => w !== undefined).map((w) => parseInt(w, 16));
  });
}
