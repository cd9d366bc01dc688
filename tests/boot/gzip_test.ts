import { assertEquals, assertRejects } from "@std/assert";
import { ImageError } from "../../vm/boot/error.ts";
import { gunzip, isGzip } from "../../vm/boot/gzip.ts";

async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return new Uint8Array(await new Response(packed).arrayBuffer());
}

Deno.test("gzip: gives back what was compressed, also of several chunks", async () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 7919) >>> 5);
  const packed = await gzip(bytes);
  assertEquals([isGzip(packed), isGzip(bytes)], [true, false]);
  assertEquals(await gunzip(packed, "k.gz", bytes.length), bytes);
});

Deno.test("gzip: contents beyond the limit are refused before they are all there", async () => {
  const packed = await gzip(new Uint8Array(50 << 20));
  await assertRejects(
    () => gunzip(packed, "bomb.gz", 1 << 20),
    ImageError,
    "bomb.gz: gzip data is larger than 1048576",
  );
});

Deno.test("gzip: damaged and cut off data is refused", async () => {
  const packed = await gzip(Uint8Array.from({ length: 10_000 }, (_, i) => i * i));
  await assertRejects(() => gunzip(packed.subarray(0, -20), "k.gz", 1 << 20), ImageError, "k.gz: gzip data is damaged");
  const damaged = packed.slice();
  damaged[20]! ^= 0xff;
  await assertRejects(() => gunzip(damaged, "k.gz", 1 << 20), ImageError, "k.gz: gzip data is damaged");
});
