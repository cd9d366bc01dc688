/** docs/GALLERY.md, out of the table of mistakes and of what Ringside prints about them. */
import { wrap } from "../../vm/check/fields.ts";
import { bases, type Change, type Mistake } from "./mistake.ts";
import { kinds } from "./kinds.ts";
import { galleryGroups, mistakes } from "./table.ts";

/** Width of the page's lines. */
const WIDTH = 120;

/** Lines of context that a change is shown with are its own; this many of a report. */
const REPORT_LINES = 40;

const HEAD = `# Gallery of wrong drivers

Each image in \`images/gallery/\` is the reference driver of \`guest/\` with one mistake written into it, as people make
them. Run one with \`--check\` and read what Ringside says; the lines that work are shown below it. File and line in a
report are those of the driver in \`guest/\`, where the mended line stands. An image that needs other devices than the
default ones asks for them itself ([DEVICES.md](DEVICES.md)), and Ringside says so.

The idea is not new. Akaros's monitor (Michael Taufen, 2016) knew about 65 such mistakes and stopped at the first one;
Firecracker warns of status changes out of order, QEMU logs a dozen with \`-d guest_errors\`, and the COQOS hypervisor
told rcore-os/virtio-drivers of a feature that it did not accept. The mistakes here are those that their users, and
those of xv6, asterinas and others, have asked about in public.

<!-- Written by tools/gen_gallery_doc.ts, from tools/gallery/: edit there. -->
`;

/** What the images print, by name. */
export type GalleryTexts = ReadonlyMap<string, string>;

/** The document, as Markdown. */
export function galleryDocument(texts: GalleryTexts): string {
  const correct = bases.map(({ name, what }) =>
    `- ${wrap(`\`correct_${name}.elf\`: ${what}`, WIDTH - 2).join("\n  ")}`
  );
  const groups = galleryGroups.map(({ title, mistakes }) =>
    [`## ${title}`, ...mistakes.map((mistake) => section(mistake, texts.get(mistake.name) ?? ""))].join("\n\n")
  );
  const count =
    `There are ${mistakes.length} of them, and ${bases.length} images without a mistake, of which nothing is said:`;
  const asked = kinds.map(({ what, images }) =>
    `- ${wrap(`${what}: ${images.map((name) => `[${name}](#${name})`).join(", ")}`, WIDTH - 2).join("\n  ")}`
  );
  return [
    HEAD,
    `What people ask about, and what here is about it:\n\n${asked.join("\n")}`,
    count,
    correct.join("\n"),
    ...groups,
  ].join("\n\n").replace(/\n{3,}/g, "\n\n") + "\n";
}

function section(mistake: Mistake, text: string): string {
  const { name, what, file, changes } = mistake;
  return [
    `### ${name}`,
    what,
    "```console",
    `$ ${commandOf(mistake)}`,
    shortened(text),
    "```",
    `What is wrong in \`guest/${file}\` (\`-\`), and how it is right (\`+\`):`,
    "```diff",
    ...changes.map(difference),
    "```",
  ].join("\n").replace(`### ${name}\n`, `### ${name}\n\n`).replaceAll("\n```console", "\n\n```console")
    .replaceAll("```\nWhat", "```\n\nWhat").replaceAll(":\n```diff", ":\n\n```diff");
}

/** What to type to see it. */
export function commandOf(mistake: Mistake): string {
  return `deno run -A vm/main.ts --check images/gallery/${mistake.name}.elf`;
}

/** What a run prints that ended where `stall` says: that, after the first finding if there is one. */
export function printed(report: string, findings: number, stall: readonly string[]): string {
  if (stall.length === 0) return report;
  return findings === 0 ? stall.join("\n") : `${shortened(report)}\n\n${stall.join("\n")}`;
}

/** The first finding, without what the driver did before: the rest is to be seen by running it. */
function shortened(text: string): string {
  const lines = text.trimEnd().split("\n");
  const history = lines.findIndex((line) => line.startsWith("  what the driver did with "));
  const shown = lines.slice(0, history < 0 ? REPORT_LINES : Math.min(history, REPORT_LINES));
  return shown.join("\n");
}

/** Lines that differ, the wrong ones first: a reader mends them. */
function difference([right, wrong]: Change): string {
  const [good, bad] = [right.trimEnd().split("\n"), wrong.trimEnd().split("\n")];
  let start = 0;
  while (start < good.length && start < bad.length && good[start] === bad[start]) start++;
  let end = 0;
  while (end < good.length - start && end < bad.length - start && good.at(-1 - end) === bad.at(-1 - end)) end++;
  const lines = [
    ...bad.slice(start, bad.length - end).filter((line) => line !== "").map((line) => `-${line}`),
    ...good.slice(start, good.length - end).map((line) => `+${line}`),
  ];
  return lines.join("\n");
}
