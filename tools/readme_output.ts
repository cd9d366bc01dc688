/**
 * Keeps what README.md shows real: each block after `<!-- run … -->` is what that command prints, and the support matrix
 * is the one of `support_matrix.ts`. Rewrites both; `tests/tools/readme_output_test.ts` compares.
 *
 * ```sh
 * deno run -A tools/readme_output.ts
 * ```
 */

import { supportTable } from "./support_matrix.ts";

/** A command whose output is shown: `<!-- run ARGS [stderr] [from=/…/] [to=/…/] [without=/…/] -->`, then the block. */
const BLOCK = /<!-- run (.*?) -->\n+```console\n\$ (.*)\n([\s\S]*?)```\n/g;

interface Selection {
  readonly args: readonly string[];
  readonly stderr: boolean;
  /** The first and the last line shown, and lines left out. */
  readonly from: RegExp | undefined;
  readonly to: RegExp | undefined;
  readonly without: RegExp | undefined;
}

function selectionOf(text: string): Selection {
  const pattern = (name: string) => {
    const found = new RegExp(`${name}=/(.*?)/(?: |$)`).exec(text)?.[1];
    return found === undefined ? undefined : new RegExp(found);
  };
  const plain = text.replace(/ (from|to|without)=\/.*?\/(?= |$)/g, "").split(" ");
  return {
    args: plain.filter((word) => word !== "stderr"),
    stderr: plain.includes("stderr"),
    from: pattern("from"),
    to: pattern("to"),
    without: pattern("without"),
  };
}

async function outputOf(selection: Selection): Promise<string> {
  const { args, stderr, from, to, without } = selection;
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "--frozen", "-A", "vm/main.ts", ...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
  const result = await command.output();
  const lines = new TextDecoder().decode(stderr ? result.stderr : result.stdout).trimEnd().split("\n");
  const first = from === undefined ? 0 : lineOf(from, lines, args);
  const rest = lines.slice(first);
  const last = to === undefined ? rest.length - 1 : lineOf(to, rest, args);
  return rest.slice(0, last + 1).filter((line) => !without?.test(line)).map((line) => `${line.trimEnd()}\n`).join("");
}

/** The first line that `pattern` is in: without it the block would show nothing, or too much. */
function lineOf(pattern: RegExp, lines: readonly string[], args: readonly string[]): number {
  const at = lines.findIndex((line) => pattern.test(line));
  if (at < 0) throw new Error(`README.md: ${args.join(" ")} prints no line with ${pattern}`);
  return at;
}

/** `readme` with every block's output as the commands print it now. */
export async function withRealOutput(readme: string): Promise<string> {
  let text = "";
  let end = 0;
  for (const match of readme.matchAll(BLOCK)) {
    const [whole, run, shown] = match;
    text += readme.slice(end, match.index);
    text += `<!-- run ${run} -->\n\n\`\`\`console\n$ ${shown}\n${await outputOf(selectionOf(run!))}\`\`\`\n`;
    end = match.index + whole.length;
  }
  return text + readme.slice(end);
}

/** The support matrix: `<!-- support matrix -->`, then the table. */
const MATRIX = /(<!-- support matrix -->\n+)(?:\|.*\n)*/;

/** `readme` with the support matrix as it is now. */
export async function withSupportMatrix(readme: string): Promise<string> {
  const format = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--ext=md", "-"],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = format.stdin.getWriter();
  await writer.write(new TextEncoder().encode(supportTable()));
  await writer.close();
  const table = new TextDecoder().decode((await format.output()).stdout);
  return readme.replace(MATRIX, (_, marker) => marker + table);
}

if (import.meta.main) {
  const readme = await withSupportMatrix(Deno.readTextFileSync("README.md"));
  Deno.writeTextFileSync("README.md", await withRealOutput(readme));
}
