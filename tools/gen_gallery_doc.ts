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
import { commandOf, galleryDocument } from "./gallery/document.ts";
import { mistakes } from "./gallery/table.ts";

const root = new URL("../", import.meta.url).pathname;

/** What the checker writes on standard error when `command` runs. */
async function reportOf(command: string): Promise<string> {
  const [, ...words] = command.split(" ");
  const folder = await Deno.makeTempDir();
  try {
    const args = [...words.slice(0, -1), "--check-output", `${folder}/report`, words.at(-1)!];
    await new Deno.Command(Deno.execPath(), { args, cwd: root, stdin: "null", stdout: "null", stderr: "null" })
      .output();
    return await Deno.readTextFile(`${folder}/report`);
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
