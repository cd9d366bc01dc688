import { assertEquals, assertThrows } from "@std/assert";
import { HostError } from "../../../devices/block_backend.ts";
import { DiskFileError, FileDisk } from "../../../devices/host/file.ts";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { TestDriver } from "../../support/virtio_driver.ts";

function pattern(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 13) & 0xff);
}

/** A temporary file of that content, gone after the test. */
function withFile(content: Uint8Array, run: (path: string) => void): void {
  const path = Deno.makeTempFileSync({ prefix: "ringside-disk-" });
  try {
    Deno.writeFileSync(path, content);
    run(path);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("file disk: reads and writes in place", () => {
  withFile(pattern(4096), (path) => {
    const disk = FileDisk.open(path);
    assertEquals([disk.sizeBytes, disk.readOnly], [4096, false]);
    const read = new Uint8Array(1000);
    disk.read(512, read);
    assertEquals(read, pattern(4096).slice(512, 1512));
    disk.write(1024, new Uint8Array(512).fill(7));
    disk.flush();
    disk.close();
    const expected = pattern(4096);
    expected.fill(7, 1024, 1536);
    assertEquals(Deno.readFileSync(path), expected);
  });
});

Deno.test("file disk: what cannot be a disk is refused, and left as it is", () => {
  withFile(pattern(1000), (path) => {
    assertThrows(() => FileDisk.open(path), DiskFileError, "its size of 1000 bytes is not a multiple of 512");
    assertEquals(Deno.readFileSync(path), pattern(1000));
  });
  withFile(new Uint8Array(0), (path) => {
    assertThrows(() => FileDisk.open(path), DiskFileError, "it is empty");
  });
  assertThrows(() => FileDisk.open("/no/such/file"), Deno.errors.NotFound);
  assertThrows(() => FileDisk.open("/"), DiskFileError, "it is a directory");
});

Deno.test({
  name: "file disk: a file that may not be written is an error unless read-only was asked for",
  ignore: Deno.build.os === "windows" || Deno.uid() === 0, // root may write everything
  fn(): void {
    withFile(pattern(512), (path) => {
      Deno.chmodSync(path, 0o400);
      assertThrows(() => FileDisk.open(path), Deno.errors.PermissionDenied);
      const disk = FileDisk.open(path, { readOnly: true });
      assertEquals(disk.readOnly, true);
      disk.close();
    });
  },
});

Deno.test("file disk: read-only is never written", () => {
  withFile(pattern(512), (path) => {
    const disk = FileDisk.open(path, { readOnly: true });
    assertThrows(() => disk.write(0, new Uint8Array(512)), Error, "read-only");
    disk.flush();
    disk.close();
    assertEquals(Deno.readFileSync(path), pattern(512));
  });
});

Deno.test("file disk: a file that became shorter is an I/O error for the guest (virtio 1.2 §5.2.6)", () => {
  withFile(pattern(4096), (path) => {
    const disk = FileDisk.open(path);
    Deno.truncateSync(path, 1000);
    assertThrows(() => disk.read(512, new Uint8Array(1024)), HostError, "the file ends at 1000");
    const d = new TestDriver(new VirtioBlk({ backend: disk }));
    const queue = d.bringUp();
    const header = new Uint8Array(16);
    header[0] = VirtioBlkT.IN;
    header[8] = 3;
    const status = d.board.alloc(1);
    queue.post([
      { addr: d.board.put(header), length: 16 },
      { addr: d.board.alloc(512), length: 512, write: true },
      { addr: status, length: 1, write: true },
    ]);
    d.wait();
    assertEquals(d.board.memory.read(status, 1), VirtioBlkS.IOERR);
    disk.close();
  });
});
