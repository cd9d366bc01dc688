/** Own reading of debug information against what binutils read in the same files. */
import { assert, assertEquals } from "@std/assert";
import { binutil, compiler, debugInfo, withDebugBuild } from "../support/debug_build.ts";
import { withTool } from "../support/tools.ts";

const IMAGE = new URL("../../images/demo.elf", import.meta.url);

/** Every row of the file's line tables, as text, sorted. */
async function objdumpRows(path: string): Promise<string[]> {
  const text = await binutil("objdump", ["--dwarf=decodedline", path]);
  return text.split("\n").flatMap((line) => {
    const [, file, number, address] = /^(\S+)\s+(\d+)\s+(0x[0-9a-f]+|0)(?:\s|$)/.exec(line) ?? [];
    return file === undefined ? [] : [`${BigInt(address!)} ${file}:${number}`];
  }).sort();
}

function ownRows(path: string): string[] {
  return [...debugInfo(path).lineTables()].flatMap((table) =>
    [...table.rows()].map(({ address, file, line }) => `${address} ${file.split("/").at(-1)}:${line}`)
  ).sort();
}

/** Addresses of instructions: every `step`th of the code. */
async function instructions(path: string, step: number): Promise<bigint[]> {
  const text = await binutil("objdump", ["-d", "-j", ".text", path]);
  const all = [...text.matchAll(/^\s*([0-9a-f]+):\t/gm)].map(([, address]) => BigInt(`0x${address}`));
  return all.filter((_, i) => i % step === 0);
}

/** What addr2line says of each address: `function file:line`, the innermost first. */
async function addr2line(path: string, addresses: readonly bigint[]): Promise<string[][]> {
  const input = addresses.map((address) => `0x${address.toString(16)}\n`).join("");
  const lines = (await binutil("addr2line", ["-i", "-f", "-a", "-e", path], input)).trimEnd().split("\n");
  const found: string[][] = [];
  for (let i = 0; i < lines.length;) {
    if (/^0x[0-9a-f]+$/.test(lines[i]!)) {
      found.push([]);
      i++;
    } else {
      const place = lines[i + 1]!.replace(/ \(discriminator \d+\)$/, "").replace(/^.*\//, "");
      found.at(-1)!.push(`${lines[i]} ${place}`);
      i += 2;
    }
  }
  return found;
}

/** Compares everything that both read in a file. */
async function compare(path: string): Promise<void> {
  const rows = await objdumpRows(path);
  assert(rows.length > 2000, `${rows.length}`);
  assertEquals(ownRows(path), rows);
  const own = debugInfo(path);
  const addresses = await instructions(path, 5);
  const foreign = await addr2line(path, addresses);
  assertEquals(foreign.length, addresses.length);
  const different = addresses.flatMap((pc, i) => {
    const mine = own.frames(pc).map(({ name = "??", file = "??", line }) =>
      `${name} ${file.replace(/^.*\//, "")}:${line ?? "?"}`
    );
    // Assembly has no functions in .debug_info; addr2line then names the symbol.
    const plain = (text: string): string => text.includes(".S:") ? text.replace(/^\S+ /, "") : text;
    const [a, b] = [plain(mine.join(", ")), plain(foreign[i]!.join(", "))];
    return a === b ? [] : [`${pc.toString(16)}: ${a} | ${b}`];
  });
  assertEquals(different, []);
}

Deno.test(
  withTool("lines, functions and inlined calls as binutils read them: the demo as it is", compiler, async () => {
    await compare(IMAGE.pathname);
  }),
);

for (const [xlen, version] of [[64, 5], [32, 4]] as const) {
  const name = `lines, functions and inlined calls as binutils read them: RV${xlen}, -gdwarf-${version}`;
  Deno.test(withTool(name, compiler, async () => {
    await withDebugBuild(xlen, ["-g", `-gdwarf-${version}`], compare);
  }));
}

Deno.test("an image without a compiler at hand: nothing of nothing, a file of assembly", () => {
  const debug = debugInfo(IMAGE);
  assertEquals(debug.frames(0n), []);
  assertEquals(debug.frames(0x8000_0000n).map(({ file }) => file), ["guest/lib/start.S"]);
});
