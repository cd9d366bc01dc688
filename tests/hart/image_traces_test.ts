/**
 * What images execute, instruction by instruction, is what they execute on QEMU and on Spike: compared with recordings,
 * see `recorded/README.md` for how they were made.
 */
import { assertEquals } from "@std/assert";
import { engineNames } from "../../vm/machine.ts";
import { BLOCK, blockHashes, imageBytes, type Recording, sha256, traceImage } from "../support/image_trace.ts";

const folder = new URL("recorded/", import.meta.url);

for (const { name } of [...Deno.readDirSync(folder)].toSorted((a, b) => a.name < b.name ? -1 : 1)) {
  if (!name.endsWith(".json")) continue;
  const recording: Recording = JSON.parse(Deno.readTextFileSync(new URL(name, folder)));
  const { image, tool, count, blocks, first } = recording;
  const simulator = tool.replace(/ \(.*/, "");
  for (const engine of engineNames) {
    Deno.test(`${image} executes, with engine ${engine}, what it does on ${simulator}`, async () => {
      assertEquals(
        await sha256(imageBytes(image)),
        recording.sha256,
        `images/${image}.elf is another one than was recorded: record it again (tests/hart/recorded/README.md)`,
      );
      // QEMU does not come back from the store that ends the run: that line is only here, and the last one.
      const lines = await traceImage(recording, engine, count + 2);
      assertEquals(lines.slice(0, first.length), first);
      const hashes = await blockHashes(lines.slice(0, count));
      const different = blocks.findIndex((hash, i) => hashes[i] !== hash);
      if (different >= 0) {
        const from = different * BLOCK;
        const shown = lines.slice(from, from + 20).join("\n");
        throw new Error(
          `${image}: lines ${from} to ${from + BLOCK} differ from the recording; they begin here with\n${shown}`,
        );
      }
      if (recording.ended) assertEquals(lines.length, count + 1);
    });
  }
}
