import { assert, assertEquals, assertThrows } from "@std/assert";
import type { BlockBackend } from "../../../devices/block_backend.ts";
import { DiskFileError } from "../../../devices/host/file.ts";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { commitOverlay, memoryOverlay, openOverlay } from "../../../devices/host/overlay_file.ts";
import { Random } from "../../support/random.ts";

const SIZE = 100 * 4096 + 512;

function pattern(length: number, seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 31 + (i >> 8) + seed) & 0xff);
}

/** A folder with a disk `base`, gone after the test. */
async function withBase(run: (base: string, overlay: string) => void | Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "ringside-overlay-" });
  try {
    Deno.writeFileSync(`${folder}/base`, pattern(SIZE, 1));
    await run(`${folder}/base`, `${folder}/overlay`);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function content(disk: BlockBackend): Uint8Array {
  const bytes = new Uint8Array(disk.sizeBytes);
  disk.read(0, bytes);
  return bytes;
}

/** Writes and zeroes at random, in steps of sectors, on a disk and on a model of it. */
function scribble(disk: BlockBackend, model: Uint8Array, random: Random, times: number): void {
  for (let i = 0; i < times; i++) {
    const sectors = model.length / 512;
    const at = random.below(sectors);
    const length = 512 * (1 + random.below(Math.min(40, sectors - at)));
    if (random.below(4) === 0) {
      disk.zero!(at * 512, length);
      model.fill(0, at * 512, at * 512 + length);
    } else {
      const bytes = pattern(length, random.below(256));
      disk.write(at * 512, bytes);
      model.set(bytes, at * 512);
    }
    const from = random.below(sectors);
    const part = new Uint8Array(512 * (1 + random.below(sectors - from)));
    disk.read(from * 512, part);
    assertEquals(part, model.slice(from * 512, from * 512 + part.length));
  }
}

Deno.test("overlay: reads as if written in place, leaves the base as it is, and is there again", () =>
  withBase((base, overlay) => {
    const model = pattern(SIZE, 1);
    const random = new Random(5);
    for (let life = 0; life < 4; life++) {
      const open = openOverlay(overlay, base);
      assertEquals(content(open.disk), model);
      scribble(open.disk, model, random, 60);
      open.close();
    }
    assertEquals(Deno.readFileSync(base), pattern(SIZE, 1));
  }));

Deno.test("overlay: written out it is the base, and the overlay is gone", () =>
  withBase((base, overlay) => {
    const model = pattern(SIZE, 1);
    const open = openOverlay(overlay, base);
    scribble(open.disk, model, new Random(8), 50);
    open.close();
    assert(commitOverlay(overlay, base) > 0);
    assertEquals(Deno.readFileSync(base), model);
    assertThrows(() => Deno.statSync(overlay), Deno.errors.NotFound);
    assertThrows(() => commitOverlay(overlay, base), Deno.errors.NotFound);
  }));

Deno.test("overlay: another size, smaller and larger, also when written out", () =>
  withBase((base, overlay) => {
    let open = openOverlay(overlay, base);
    open.disk.write(0, pattern(8192, 9));
    open.disk.write(SIZE - 512, pattern(512, 7));
    open.disk.resize(3 * 4096 + 1024);
    open.disk.resize(SIZE + 8192);
    const model = new Uint8Array(SIZE + 8192);
    model.set(pattern(SIZE, 1).subarray(0, 3 * 4096 + 1024));
    model.set(pattern(8192, 9));
    assertEquals(content(open.disk), model);
    scribble(open.disk, model, new Random(3), 40);
    open.close();
    open = openOverlay(overlay, base);
    assertEquals(content(open.disk), model);
    open.close();
    assertEquals(Deno.readFileSync(base), pattern(SIZE, 1));
    commitOverlay(overlay, base);
    assertEquals(Deno.readFileSync(base), model);
  }));

Deno.test("overlay: what does not belong together is refused", () =>
  withBase((base, overlay) => {
    const open = openOverlay(overlay, base);
    assertThrows(() => openOverlay(overlay, base), DiskFileError, "in use by another run");
    open.close();
    Deno.writeFileSync(`${base}2`, pattern(4096, 1));
    assertThrows(() => openOverlay(overlay, `${base}2`), DiskFileError, "it has changed since the overlay");
    Deno.utimeSync(base, 1000, 1000);
    assertThrows(() => openOverlay(overlay, base), DiskFileError, `it was ${SIZE} bytes, changed at 20`);
    Deno.writeTextFileSync(overlay, "a file of somebody's that must not be written to");
    assertThrows(() => openOverlay(overlay, base), DiskFileError, "is no overlay");
    assertEquals(Deno.readTextFileSync(overlay), "a file of somebody's that must not be written to");
  }));

Deno.test("overlay: takes up only what was written", () =>
  withBase((base, overlay) => {
    Deno.truncateSync(base, 1 << 30);
    const open = openOverlay(overlay, base);
    open.disk.write(900 << 20, pattern(4096, 1));
    open.disk.zero(100 << 20, 1 << 20);
    open.close();
    assert(Deno.statSync(overlay).blocks! * 512 < 1 << 20);
  }));

Deno.test("overlay in memory: the same, and nothing is left of it", () =>
  withBase((base) => {
    const disk = new MemoryDisk(Deno.readFileSync(base), { readOnly: true });
    const overlay = memoryOverlay(disk);
    const model = pattern(SIZE, 1);
    scribble(overlay, model, new Random(2), 60);
    assertEquals(content(overlay), model);
    assertEquals(content(disk), pattern(SIZE, 1));
    overlay.close();
  }));

Deno.test("overlay: killed at any point it keeps what was flushed", () =>
  withBase(async (base, overlay) => {
    const program = new URL("overlay_program.ts", import.meta.url).pathname;
    const done = new Map<number, number>();
    for (let life = 0; life < 4; life++) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", program, base, overlay, `${life * 100_000}`],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      // Each line says what is being written, or that it is flushed: `w BLOCK VALUE`, `f`.
      const begun = new Map<number, Set<number>>();
      let pending: [number, number][] = [];
      let flushes = 0;
      const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      const deadline = 20 + life * 17;
      for (;;) {
        const { value, done: end } = await lines.read();
        if (end) break;
        rest += value;
        const whole = rest.split("\n");
        rest = whole.pop()!;
        for (const line of whole) {
          const [verb, block = 0, number = 0] = line.split(" ").map((word, i) => i === 0 ? word : Number(word)) as [
            string,
            number,
            number,
          ];
          if (verb === "w") {
            pending.push([block, number]);
            begun.set(block, (begun.get(block) ?? new Set()).add(number));
          } else {
            for (const [at, written] of pending) {
              done.set(at, written);
              begun.set(at, new Set([written]));
            }
            pending = [];
            if (++flushes === deadline) child.kill("SIGKILL");
          }
        }
      }
      await child.status;
      const open = openOverlay(overlay, base);
      for (let block = 0; block < 16; block++) {
        const bytes = new Uint8Array(512);
        open.disk.read(block * 512, bytes);
        const value = new DataView(bytes.buffer).getUint32(0, true);
        const old = done.get(block);
        const allowed = [...begun.get(block) ?? []];
        if (old === undefined) allowed.push(new DataView(pattern(SIZE, 1).buffer).getUint32(block * 512, true));
        else allowed.push(old);
        assert(allowed.includes(value), `block ${block} is ${value}, not one of ${allowed}`);
        done.set(block, value);
        assertEquals(bytes.subarray(4, 8), bytes.subarray(508), "a sector is whole");
      }
      open.close();
    }
    assertEquals(Deno.readFileSync(base), pattern(SIZE, 1));
  }));

Deno.test("overlay: killed while it is written out it shows the same disk, and can be written out again", () =>
  withBase(async (base, overlay) => {
    const size = 48 << 20;
    Deno.truncateSync(base, size);
    const open = openOverlay(overlay, base);
    const chunk = pattern(1 << 20, 3);
    for (let at = 0; at < size; at += chunk.length) open.disk.write(at, chunk);
    open.close();
    const program = new URL("commit_program.ts", import.meta.url).pathname;
    let interrupted = 0;
    for (const delay of [0, 2, 5]) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", program, base, overlay],
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      // It says when it begins.
      const reader = child.stdout.getReader();
      await reader.read();
      await new Promise((resolve) => setTimeout(resolve, delay));
      try {
        child.kill("SIGKILL");
      } catch {
        // It was faster.
      }
      reader.releaseLock();
      await child.stdout.cancel();
      await child.status;
      if (!exists(overlay)) break;
      interrupted++;
      const again = openOverlay(overlay, base);
      const bytes = new Uint8Array(chunk.length);
      for (let at = 0; at < size; at += chunk.length) {
        again.disk.read(at, bytes);
        assert(bytes.every((byte, i) => byte === chunk[i]), `at ${at}`);
      }
      again.close();
    }
    assert(interrupted > 0, "never interrupted");
    if (exists(overlay)) commitOverlay(overlay, base);
    const written = Deno.readFileSync(base);
    for (let at = 0; at < size; at += chunk.length) {
      assert(chunk.every((byte, i) => byte === written[at + i]), `at ${at}`);
    }
  }));

function exists(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
