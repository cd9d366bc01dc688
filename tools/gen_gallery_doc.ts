/**
 * Writes docs/GALLERY.md: every wrong driver of the gallery, and what Ringside prints about it now.
 *
 * ```sh
 * deno run -A tools/gen_gallery_doc.ts
 * ```
 *
 * @module
 */
import { inParallel } from "./build_guest.ts";
import { Status } from "../vm/cli/errors.ts";
import { commandOf, galleryDocument, printed } from "./gallery/document.ts";
import { mistakes } from "./gallery/table.ts";

const root = new URL("../", import.meta.url).pathname;

/** What is written on standard error when `command` runs: the findings, and why it is stuck if it is. */
async function reportOf(command: string): Promise<string> {
  const [, ...words] = command.split(" ");
  const folder = await Deno.makeTempDir();
  try {
    const args = [...words.slice(0, -1), "--check-output", `${folder}/report`, words.at(-1)!];
    const options = { args, cwd: root, stdin: "null", stdout: "null", stderr: "piped" } as const;
    const { code, stderr } = await new Deno.Command(Deno.execPath(), options).output();
    const report = await Deno.readTextFile(`${folder}/report`);
    const lines = new TextDecoder().decode(stderr).split("\n");
    const start = code === Status.Stall || code === Status.Timeout
      ? lines.findIndex((line) => line.startsWith("why it is stuck: "))
      : -1;
    const stall = start < 0 ? [] : lines.slice(start, lines.indexOf("", start));
    return printed(report, /^(error|warning|advice): /.test(report) ? 1 : 0, stall);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) {
  const texts = await inParallel(mistakes.map((mistake) => async () => {
    return [mistake.name, await reportOf(commandOf(mistake))] as const;
  }));
  await Deno.writeTextFile(`${root}docs/GALLERY.md`, galleryDocument(new Map(texts)));
}
