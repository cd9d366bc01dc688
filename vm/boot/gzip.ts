import { ImageError } from "./error.ts";

/** Whether a file begins as gzip's do (RFC 1952 §2.3.1). */
export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b && bytes[2] === 8;
}

/**
 * Decompresses a gzip file, at most `max` bytes of it: a small file may stand for a huge one. Throws `ImageError` for one
 * that is larger, damaged or cut off.
 *
 * ```ts
 * const packed = new Blob([Uint8Array.of(1, 2, 3)]).stream().pipeThrough(new CompressionStream("gzip"));
 * const file = new Uint8Array(await new Response(packed).arrayBuffer());
 * await gunzip(file, "three.gz", 100); // Uint8Array [1, 2, 3]
 * ```
 */
export async function gunzip(bytes: Uint8Array, name: string, max: number): Promise<Uint8Array<ArrayBuffer>> {
  return await decompress(bytes, "gzip", name, max);
}

/** The same for a format of its caller's choice: `deflate` is zlib's (RFC 1950). */
export async function decompress(
  bytes: Uint8Array,
  format: "gzip" | "deflate",
  name: string,
  max: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const source = new Blob([bytes as Uint8Array<ArrayBuffer>]).stream();
  const chunks: Uint8Array[] = [];
  let length = 0;
  try {
    for await (const chunk of source.pipeThrough(new DecompressionStream(format))) {
      length += chunk.length;
      if (length > max) break;
      chunks.push(chunk);
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ImageError(`${name}: ${format} data is damaged or cut off after ${length} bytes of contents`);
  }
  if (length > max) {
    throw new ImageError(
      `${name}: ${format} data is larger than ${max} bytes, which is ${format === "gzip" ? "all of RAM" : "too much"}`,
    );
  }
  const whole = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}
