/** The images in `images/` are what `guest/` builds: byte for byte with the manifest's compiler, else they build. */

import { assertEquals } from "@std/assert";
import { buildGuest, compareGuest, readManifest, toolVersions } from "../../tools/build_guest.ts";
import { guestPrograms, imageName } from "../../tools/guest_images.ts";
import { withTool } from "../support/tools.ts";

const versions = await toolVersions();
const manifest = await readManifest();
const sameTools = versions?.compiler === manifest.compiler && versions.linker === manifest.linker;
const rebuilt = sameTools ? "images rebuild to the same bytes" : `images build (bytes are ${manifest.compiler}'s)`;
const images = new URL("../../images/", import.meta.url);

Deno.test(
  withTool(rebuilt, { command: "RISC-V GCC", version: versions?.compiler }, async () => {
    const dir = await Deno.makeTempDir();
    try {
      const built = await buildGuest(guestPrograms, dir);
      assertEquals(built.length, 2 * guestPrograms.length);
      assertEquals(await compareGuest(built), []);
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  }),
);

Deno.test("the manifest lists every image, and every image file is one of them", async () => {
  const names = guestPrograms.flatMap((program) => [imageName(program, 64), imageName(program, 32)]);
  assertEquals(manifest.images.map((image) => image.name), names);
  const files: string[] = [];
  for await (const entry of Deno.readDir(images)) if (/\.(bin|elf)$/.test(entry.name)) files.push(entry.name);
  assertEquals(files.sort(), names.flatMap((name) => [`${name}.bin`, `${name}.elf`]).sort());
});

Deno.test("image files have the manifest's hashes", async () => {
  for (const image of manifest.images) {
    for (const kind of ["bin", "elf"] as const) {
      const bytes = await Deno.readFile(new URL(`${image.name}.${kind}`, images));
      const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
      assertEquals({ bytes: bytes.length, sha256 }, image[kind], `${image.name}.${kind}`);
    }
  }
});
