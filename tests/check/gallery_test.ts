/** The gallery of wrong drivers: each mistake is found as its table says, and drivers without one are told nothing. */
import { assert, assertEquals } from "@std/assert";
import { readGalleryManifest, sourcesHash } from "../../tools/build_gallery.ts";
import { sha256 } from "../../tools/build_guest.ts";
import { galleryDocument, printed } from "../../tools/gallery/document.ts";
import { argumentsOf, baseOf, bases, changed } from "../../tools/gallery/mistake.ts";
import { kinds } from "../../tools/gallery/kinds.ts";
import { galleryNames, mistakes } from "../../tools/gallery/table.ts";
import { readElf } from "../../vm/boot/elf.ts";
import { checkJson } from "../../vm/check/json.ts";
import type { PlacedFinding } from "../../vm/check/result.ts";
import { findRule } from "../../vm/check/rules.ts";
import { stallLines } from "../../vm/check/stall/explain.ts";
import { checkReport } from "../../vm/check/text.ts";
import { OPTIONS_SECTION } from "../../vm/cli/settings.ts";
import { foundIn, runGallery } from "../support/gallery.ts";
import { galleryEntry } from "../../tools/build_gallery.ts";

const images = new URL("../../images/gallery/", import.meta.url);
/** Images that are run on every engine each time; GALLERY_ENGINES=all takes all of them. */
const SAMPLE = ["ring_idx_masked", "legacy_byte_address", "packed_directions_swapped", "config_torn"];
const texts = new Map<string, string>();
/** What the PLIC tells, of which there is no rule yet. */
const UNRULED: ReadonlySet<string> = new Set(["completion-ignored"]);

/** Files where a mistake shows that was made in another one. */
const ELSEWHERE: Readonly<Record<string, readonly string[]>> = {
  // What a driver accepts, and what a queue is made of, the transport hands over.
  features_without_code: ["guest/virtio/virtio_mmio.c"],
  queue_misaligned: ["guest/virtio/virtio_mmio.c"],
  // What was not negotiated, the ring stores.
  indirect_not_accepted: ["guest/virtio/virtio_ring_split.c"],
  features_order_ignored: ["guest/virtio/virtio_ring_split.c"],
  // What is left out has no place: it is told where the buffer was made available.
  stall_no_notification: ["guest/virtio/virtio_ring_split.c"],
};

for (const base of bases) {
  Deno.test(`correct_${base.name}: nothing is found`, async () => {
    const { result, reason } = await runGallery(`correct_${base.name}`, base);
    assertEquals([foundIn(result), [...result.unruled], reason], [[], [], "pass"]);
  });
}

for (const mistake of mistakes) {
  const { name, base, finds, ends = "pass" } = mistake;
  Deno.test(`${name}: ${finds[0] ?? mistake.stall}`, async () => {
    const { result, reason, stall } = await runGallery(name, baseOf(base));
    texts.set(name, printed(checkReport(result), finds.length, stall === undefined ? [] : stallLines(stall)));
    assertEquals([foundIn(result), reason, stall?.link], [[...finds], ends, mistake.stall]);
    assertEquals([...result.unruled.keys()].filter((id) => !UNRULED.has(id)), []);
  });
}

const compared = Deno.env.get("GALLERY_ENGINES") === "all" ? galleryNames : SAMPLE;

Deno.test(`findings of ${compared.length} images of the gallery are the same on the other engines`, async () => {
  for (const name of compared) {
    const { base } = galleryEntry(name);
    const [first, ...others] = await Promise.all(
      (["interpreter", "reference", "auto"] as const).map(async (engine) => {
        const { result, reason, stall } = await runGallery(name, base, engine);
        return [checkJson(result, ""), reason, stall === undefined ? [] : stallLines(stall)];
      }),
    );
    for (const other of others) assertEquals(other, first, name);
  }
});

Deno.test("what the finding before has too is not told again", async () => {
  const { result } = await runGallery("features_one_word", baseOf("entropy"));
  const [first, second] = checkReport(result).split("\n\n");
  assert(first!.includes("W Status            = 0x0b") && !first!.includes("as above"), first);
  assertEquals(second!.split("\n").slice(-2), [
    "  how the program came there, the last call first: as above",
    "  what the driver did with virtio2 since its reset: as above",
  ]);
  const refused = checkReport((await runGallery("features_refusal_ignored", baseOf("disk"))).result).split("\n\n")[1]!;
  const lines = refused.split("\n").slice(refused.split("\n").findIndex((line) => line.endsWith("as above, then")));
  assertEquals(lines.slice(1).map((line) => line.slice(4, 28)), [
    "R Status            = 0x",
    "W QueueSel          = 0x",
  ]);
});

Deno.test("a finding is at a line of the mistake's file, or of who notified the device", async () => {
  for (const { name, base, file, finds } of mistakes) {
    // What is missing at the PLIC shows where the program waits.
    if (finds.length === 0 || /@(vm_notify|wait_flag)$/.test(finds[0]!)) continue;
    const { result } = await runGallery(name, baseOf(base));
    const [{ place, stack }] = result.findings as [PlacedFinding];
    const files = [place.frame, ...stack].map((frame) => frame?.file);
    const expected = [
      `guest/${file}`,
      "guest/lib/plic.c",
      ...(ELSEWHERE[name] ?? []),
    ];
    assert(expected.some((one) => files.includes(one)), `${name}: ${files}`);
  }
});

Deno.test("docs/GALLERY.md is what the images print (deno run -A tools/gen_gallery_doc.ts)", () => {
  const document = Deno.readTextFileSync(new URL("../../docs/GALLERY.md", import.meta.url));
  assertEquals(document, galleryDocument(texts));
});

Deno.test("every mistake names rules that there are, and no two images have one name", () => {
  for (const { name, finds } of mistakes) {
    for (const find of finds) assert(findRule(find.split("@")[0]!) !== undefined, `${name}: ${find}`);
  }
  assertEquals(new Set(galleryNames).size, galleryNames.length);
  assert(mistakes.length >= 60);
});

Deno.test("the kinds of mistakes are of images that there are, and none is named twice for one", () => {
  for (const { what, images } of kinds) {
    assertEquals(images.filter((name) => !mistakes.some((one) => one.name === name)), [], what);
    assertEquals(new Set(images).size, images.length, what);
  }
  assertEquals(kinds.length, 27);
});

Deno.test("the images are made from the guest of today (deno task guest), and all of them are there", async () => {
  const manifest = readGalleryManifest();
  assertEquals(manifest.images.map(({ name }) => name), [...galleryNames]);
  const files = [...Deno.readDirSync(images)].map(({ name }) => name).filter((name) => name.endsWith(".elf"));
  assertEquals(files.sort(), galleryNames.map((name) => `${name}.elf`).sort());
  for (const image of manifest.images) {
    const { base, mistake } = galleryEntry(image.name);
    assertEquals(image.sources, await sourcesHash(base, mistake), `${image.name}: deno task guest`);
    assertEquals(image.sha256, await sha256(await Deno.readFile(new URL(`${image.name}.elf`, images))), image.name);
  }
});

Deno.test("every image asks for the devices that its driver is run on", () => {
  for (const name of galleryNames) {
    const { base, mistake } = galleryEntry(name);
    const { sections } = readElf(Deno.readFileSync(new URL(`${name}.elf`, images)), name);
    const section = sections.find((one) => one.name === OPTIONS_SECTION);
    assertEquals(section && new TextDecoder().decode(section.data), argumentsOf(base, mistake).join(" ") || undefined);
  }
});

Deno.test("a change that its source does not have once is an error", () => {
  assertEquals(changed("x.c", "a b a", [["b", "c"]]), "a c a");
  for (const right of ["a", "d"]) {
    try {
      changed("x.c", "a b a", [[right, "c"]]);
    } catch (error) {
      assert(error instanceof Error && error.message.includes("guest/x.c"));
      continue;
    }
    throw new Error("changed what is not there once");
  }
});
