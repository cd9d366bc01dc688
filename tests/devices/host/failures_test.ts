/**
 * What the host refuses reaches the guest as an I/O error, whatever the disk is kept in, and the disk goes on when the
 * host does: a full disk, a file that cannot be read any more, a sync that fails. And what the guest is told to be stable
 * is: the host's sync has returned before.
 */
import { assert, assertEquals } from "@std/assert";
import type { BlockBackend } from "../../../devices/block_backend.ts";
import { FileDisk } from "../../../devices/host/file.ts";
import { memoryOverlay, openOverlay } from "../../../devices/host/overlay_file.ts";
import { featureBit } from "../../../devices/virtio/feature_set.ts";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { type DriverQueue, TestDriver } from "../../support/virtio_driver.ts";

const { IN, OUT, FLUSH } = VirtioBlkT;
const { OK, IOERR } = VirtioBlkS;
const F_FLUSH = featureBit(2, "VIRTIO_BLK_F_FLUSH");
const SIZE = 64 << 10;

/** A disk in `folder`, and what closes it. */
interface Kept {
  readonly disk: BlockBackend;
  close(): void;
}

function content(): Uint8Array {
  return Uint8Array.from({ length: SIZE }, (_, i) => (i * 13 + (i >> 9)) & 0xff);
}

function fileDisk(folder: string, bytes: Uint8Array | undefined): FileDisk {
  const path = `${folder}/disk`;
  Deno.writeFileSync(path, bytes ?? new Uint8Array(0));
  if (bytes === undefined) Deno.truncateSync(path, SIZE);
  return FileDisk.open(path);
}

/** What disks are kept in. */
const BACKENDS: Readonly<Record<string, (folder: string) => Kept>> = {
  "a file": (folder) => {
    const disk = fileDisk(folder, content());
    return { disk, close: () => disk.close() };
  },
  "a sparse file": (folder) => {
    const disk = fileDisk(folder, undefined);
    return { disk, close: () => disk.close() };
  },
  "an overlay": (folder) => {
    fileDisk(folder, content()).close();
    return openOverlay(`${folder}/overlay`, `${folder}/disk`);
  },
  "a snapshot in memory": (folder) => {
    const base = fileDisk(folder, content());
    return { disk: memoryOverlay(base), close: () => base.close() };
  },
};

/** What a host does not do, by the call it fails in, and which requests need that of it. */
const FAILURES = [
  { what: "a full disk", call: "writeSync", why: "No space left on device (os error 28)", type: OUT },
  { what: "a file that cannot be read any more", call: "readSync", why: "Input/output error (os error 5)", type: IN },
  { what: "a sync that fails", call: "syncDataSync", why: "Input/output error (os error 5)", type: FLUSH },
] as const;

/** Puts `by` in the place of a method of every open file while `run` goes. */
function instead<T>(call: typeof FAILURES[number]["call"], by: () => never | void, run: () => T): T {
  const prototype = Deno.FsFile.prototype as unknown as Record<string, (...args: unknown[]) => unknown>;
  const real = prototype[call]!;
  prototype[call] = function (this: unknown, ...args: unknown[]): unknown {
    by();
    return real.apply(this, args);
  };
  try {
    return run();
  } finally {
    prototype[call] = real;
  }
}

function withFolder(run: (folder: string) => void): void {
  const folder = Deno.makeTempDirSync({ prefix: "ringside-failures-" });
  try {
    run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** A driver of the disk. */
class Guest {
  readonly d: TestDriver;
  readonly #queue: DriverQueue;
  #status = 0;

  constructor(disk: BlockBackend, bits: readonly number[]) {
    this.d = new TestDriver(new VirtioBlk({ backend: disk }));
    this.#queue = this.d.bringUp([...bits], 16);
  }

  /** The status byte of the last request; 0xaa before the device has written it. */
  get status(): number {
    return this.d.board.memory.read(this.#status, 1);
  }

  /** A request for the second sector; what it read, or wrote. */
  request(type: number, fill = 0): Uint8Array {
    const { board } = this.d;
    const header = new Uint8Array(16);
    header[0] = type;
    if (type !== FLUSH) header[8] = 1;
    const data = board.put(new Uint8Array(512).fill(fill));
    this.#status = board.put(Uint8Array.of(0xaa));
    this.#queue.post([
      { addr: board.put(header), length: 16 },
      ...(type === FLUSH ? [] : [{ addr: data, length: 512, write: type === IN }]),
      { addr: this.#status, length: 1, write: true },
    ]);
    this.d.wait();
    return board.memory.bytes(data, 512)!.slice();
  }
}

for (const [backend, open] of Object.entries(BACKENDS)) {
  for (const { what, call, why, type } of FAILURES) {
    Deno.test(`${backend}: ${what} is an I/O error for the guest, and the disk goes on afterwards`, () =>
      withFolder((folder) => {
        const { disk, close } = open(folder);
        const guest = new Guest(disk, [F_FLUSH]);
        guest.request(OUT, 1);
        // The sync is of something.
        let asked = 0;
        const fail = (): never => {
          asked++;
          throw new Error(why);
        };
        // What was written is in the memory of a snapshot: what it reads of the host is elsewhere.
        instead(call, fail, () => guest.request(type, 2));
        assertEquals(guest.status, asked > 0 ? IOERR : OK);
        assert(asked > 0 || backend === "a snapshot in memory", "the host was not asked");
        assertEquals(guest.d.board.violations, []);
        guest.request(OUT, 3);
        assertEquals(guest.status, OK);
        guest.request(FLUSH);
        assertEquals(guest.status, OK);
        assertEquals([guest.request(IN), guest.status], [new Uint8Array(512).fill(3), OK]);
        close();
      }));
  }

  for (const [how, bits] of [["FLUSH is", [F_FLUSH]], ["a write without a cache is", []]] as const) {
    Deno.test(`${backend}: ${how} acknowledged only after the host's sync has returned`, () =>
      withFolder((folder) => {
        const { disk, close } = open(folder);
        const guest = new Guest(disk, bits);
        const log: string[] = [];
        const seen = (name: string) => (): void => void log.push(`${name} ${guest.status.toString(16)}`);
        instead("writeSync", seen("write"), () =>
          instead("syncDataSync", seen("sync"), () => {
            guest.request(OUT, 5);
            if (bits.length > 0) guest.request(FLUSH);
            log.push(`done ${guest.status}`);
          }));
        // A snapshot has nothing that could be stable.
        if (backend === "a snapshot in memory") assertEquals(log, ["done 0"]);
        else {
          assert(log[0]!.startsWith("write"), log.join());
          // The driver has no answer while the host still writes or syncs.
          assertEquals(log.filter((line) => line.startsWith("sync") && line !== "sync aa"), []);
          assert(log.filter((line) => line.startsWith("sync")).length > 0, log.join());
          assertEquals(log.slice(-2), ["sync aa", "done 0"]);
        }
        close();
      }));
  }
}

Deno.test("a snapshot in memory: what the file has not any more is an I/O error for the guest", () =>
  withFolder((folder) => {
    const { disk, close } = BACKENDS["a snapshot in memory"]!(folder);
    const guest = new Guest(disk, [F_FLUSH]);
    Deno.truncateSync(`${folder}/disk`, 600);
    guest.request(IN);
    assertEquals(guest.status, IOERR);
    // A block is kept whole, and the rest of this one cannot be had.
    guest.request(OUT, 1);
    assertEquals(guest.status, IOERR);
    Deno.truncateSync(`${folder}/disk`, SIZE);
    guest.request(OUT, 1);
    assertEquals([guest.request(IN), guest.status], [new Uint8Array(512).fill(1), OK]);
    close();
  }));

Deno.test("a file that is removed while it is a disk goes on being one", () =>
  withFolder((folder) => {
    const { disk, close } = BACKENDS["a file"]!(folder);
    const guest = new Guest(disk, [F_FLUSH]);
    Deno.removeSync(`${folder}/disk`);
    guest.request(OUT, 9);
    assertEquals([guest.request(IN), guest.status], [new Uint8Array(512).fill(9), OK]);
    guest.request(FLUSH);
    assertEquals(guest.status, OK);
    close();
  }));
