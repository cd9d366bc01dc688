/** Linux's own virtio drivers over both formats of virtqueues: what they negotiate, and that what they store is stored. */
import { assert, assertEquals } from "@std/assert";
import { runTool } from "../support/tools.ts";
import { assertConsole, guestFile, runGuest, withGuest } from "./guest.ts";

const FILES = ["linux/Image", "linux/initramfs.gz"];

/**
 * What Linux 6.12 negotiates on QEMU 7.2 with packed=off, in the order of bits: block (SEG_MAX, GEOMETRY, BLK_SIZE, FLUSH,
 * TOPOLOGY, CONFIG_WCE, DISCARD, WRITE_ZEROES), entropy, console (MULTIPORT); all with INDIRECT_DESC, EVENT_IDX and
 * VERSION_1. With packed=on bit 34 joins.
 */
const ON_QEMU: Readonly<Record<string, readonly number[]>> = {
  virtio_blk: [2, 4, 6, 9, 10, 11, 13, 14, 28, 29, 32],
  virtio_rng: [28, 29, 32],
  virtio_console: [1, 28, 29, 32],
};

/** Features by driver, as /init tells them. */
function negotiated(console: string): Record<string, number[]> {
  return Object.fromEntries(
    [...console.matchAll(/features=([01]{64}) driver=(\w+)/g)].map(([, bits, driver]) => [
      driver!,
      [...bits!].flatMap((bit, i) => bit === "1" ? [i] : []),
    ]),
  );
}

const MIB = 1 << 20;

/** A file of so many random bytes, from a seed. */
async function randomFile(path: string, mebibytes: number): Promise<void> {
  const file = await Deno.create(path);
  const words = new Uint32Array(MIB / 4);
  let x = 0x2545f491;
  for (let i = 0; i < mebibytes; i++) {
    for (let word = 0; word < words.length; word++) {
      x ^= x << 13;
      x ^= x >>> 17;
      x ^= x << 5;
      words[word] = x;
    }
    await file.write(new Uint8Array(words.buffer));
  }
  file.close();
}

async function sha256(path: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", await Deno.readFile(path));
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

for (const packed of [false, true]) {
  const name = packed ? "packed" : "split";
  const ring = `packed=${packed ? "on" : "off"}`;

  Deno.test(withGuest(`Linux, ${name} virtqueues: the features it negotiates are those on QEMU`, FILES, async () => {
    const run = await runGuest([
      "--memory=256M",
      `--kernel=${guestFile("linux/Image")}`,
      `--initrd=${guestFile("linux/initramfs.gz")}`,
      "--append=console=ttyS0 guest=info",
      "--no-default-devices",
      `--device=blk,discard=on,${ring}`,
      `--device=rng,${ring}`,
      `--device=console,size=off,port=x@null,${ring}`,
    ]);
    const expected = Object.fromEntries(
      Object.entries(ON_QEMU).map(([driver, bits]) => [driver, packed ? [...bits, 34] : [...bits]]),
    );
    assertEquals(negotiated(run.console), expected, run.console.slice(-3000));
    assertEquals(run.status, 0, run.stderr);
  }));

  Deno.test(
    withGuest(`Linux, ${name} virtqueues: 256 MiB copied and compared, a file system, ports`, FILES, async () => {
      const folder = await Deno.makeTempDir();
      try {
        const [from, to, fs, log] = ["from", "to", "fs", "log"].map((file) => `${folder}/${file}`) as [
          string,
          string,
          string,
          string,
        ];
        await randomFile(from, 256);
        await Deno.create(to).then((file) => file.truncate(256 * MIB).then(() => file.close()));
        await Deno.create(fs).then((file) => file.truncate(64 * MIB).then(() => file.close()));
        const commands = [
          "dd if=/dev/vda of=/dev/vdb bs=1M conv=fsync",
          "echo 3 > /proc/sys/vm/drop_caches",
          'cmp /dev/vda /dev/vdb && echo SAME-"BYTES"',
          "mke2fs /dev/vdc",
          "mount -t ext2 /dev/vdc /mnt",
          "cp /bin/busybox /mnt/one",
          "cp /mnt/one /mnt/two",
          "rm /mnt/one",
          "umount /mnt",
          "echo from the guest > /dev/vport0p2",
          "exec 3<>/dev/vport0p1",
          "echo there and back >&3",
          "read line <&3",
          'echo GOT-"$line"',
          "cat /sys/class/virtio-ports/*/name",
          "poweroff -f",
        ];
        const features = `${ring},ring_reset=on,event_idx=on`;
        const run = await runGuest([
          "--memory=256M",
          `--kernel=${guestFile("linux/Image")}`,
          `--initrd=${guestFile("linux/initramfs.gz")}`,
          "--append=console=ttyS0 guest=shell",
          `--drive=${from},ro,${features}`,
          `--drive=${to},${features},in_order=on`,
          `--drive=${fs},${features},discard=on,secure_erase=on,num-queues=2`,
          `--device=console,${ring},port=org.example.loop@loop,port=org.example.log@file:${log}`,
          "--expect=Guest shell",
          `--send=${commands.join("; ")}\\r`,
        ]);
        assertConsole(run, [
          "SAME-BYTES",
          "GOT-there and back",
          "org.example.loop",
          "org.example.log",
          "reboot: Power down",
        ]);
        assertEquals(run.status, 0, run.stderr);
        assertEquals(await sha256(to), await sha256(from));
        assertEquals(await Deno.readTextFile(log), "from the guest\n");
        const fsck = await runTool("e2fsck", ["-f", "-n", fs]);
        assert(fsck?.ok ?? true, fsck?.stdout);
      } finally {
        await Deno.remove(folder, { recursive: true });
      }
    }),
  );
}

Deno.test(
  withGuest(
    "Linux: a queue for each of two harts, and a disk and a port that change while it runs",
    FILES,
    async () => {
      const run = await runGuest([
        "--harts=2",
        "--memory=256M",
        `--kernel=${guestFile("linux/Image")}`,
        `--initrd=${guestFile("linux/initramfs.gz")}`,
        "--append=console=ttyS0 guest=test",
        "--device=blk,size=16M,num-queues=4,packed=on",
        "--device=blk,size=16M,num-queues=4",
        "--device=console,max-ports=3,port=org.example.first@loop",
        "--at=3s,resize=2:32M",
        "--at=3s,add-port=0:org.example.late@null",
      ]);
      assertConsole(run, [
        /virtio1: 2\/0\/0 default\/read\/poll queues/,
        /virtio2: 2\/0\/0 default\/read\/poll queues/,
        "[vdb] new size: 65536 512-byte logical blocks",
        "GUEST-PASS blk-write-readback",
        "GUEST-PASS blk-mkfs-mount",
        /GUEST-VPORT \S+ org\.example\.first/,
        /GUEST-VPORT \S+ org\.example\.late/,
        "reboot: Power down",
      ]);
      assertEquals(run.status, 0, run.stderr);
    },
  ),
);
