import { assertEquals } from "@std/assert";
import { assertConsole, guestFile, rulesTold, runGuest, typed, VIRTIO_VERSIONS, withGuest } from "./guest.ts";

/** Ways to start U-Boot. */
const STARTS: readonly (readonly [name: string, files: readonly string[], args: () => string[]])[] = [
  ["in M-mode", ["u-boot/m-mode.bin"], () => [guestFile("u-boot/m-mode.bin")]],
  ["in S-mode on the built-in SBI", ["u-boot/s-mode.bin"], () => [`--kernel=${guestFile("u-boot/s-mode.bin")}`]],
  [
    "in S-mode on OpenSBI",
    ["opensbi/fw_dynamic.bin", "u-boot/s-mode.bin"],
    () => [`--bios=${guestFile("opensbi/fw_dynamic.bin")}`, `--kernel=${guestFile("u-boot/s-mode.bin")}`],
  ],
];

for (const [name, files, args] of STARTS) {
  for (const version of VIRTIO_VERSIONS) {
    Deno.test(withGuest(
      `U-Boot ${name}: virtio info, virtio read, a file from ext4, power off (virtio-mmio version ${version})`,
      [...files, "linux/root.ext4", "linux/config"],
      async () => {
        const run = await runGuest([
          `--virtio-version=${version}`,
          "--memory=256M",
          `--drive=${guestFile("linux/root.ext4")},ro`,
          ...args(),
          ...typed(
            ["Hit any key to stop autoboot", ""],
            ["=> ", "virtio info"],
            ["=> ", "virtio read 84000000 2 10"],
            ["=> ", "md.w 84000038 1"],
            ["=> ", "ext4ls virtio 0 /data"],
            ["=> ", "ext4load virtio 0 84000000 /data/config"],
            ["=> ", "crc32 84000000 ${filesize}"],
            ["=> ", "poweroff"],
          ),
        ]);
        const config = Deno.readFileSync(guestFile("linux/config"));
        assertConsole(run, [
          "Device 0: QEMU VirtIO Block Device",
          "Capacity: 64.0 MB",
          "16 blocks read: OK",
          "84000038: ef53", // the ext4 superblock's magic
          "SHA256SUMS",
          `${config.length} bytes read`,
          `==> ${crc32(config).toString(16).padStart(8, "0")}`,
        ]);
        assertEquals(run.status, 0, run.stderr);
      },
    ));
  }
}

/** CRC-32 as in zip files. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb8_8320 : 0);
  }
  return ~crc >>> 0;
}

for (const [name, files, args] of STARTS) {
  for (const version of VIRTIO_VERSIONS) {
    Deno.test(withGuest(
      `U-Boot ${name}: what the checker says of its driver is true (virtio-mmio version ${version})`,
      [...files, "linux/root.ext4"],
      async () => {
        const run = await runGuest([
          `--virtio-version=${version}`,
          "--memory=256M",
          `--drive=${guestFile("linux/root.ext4")},ro`,
          "--check",
          ...args(),
          ...typed(["Hit any key to stop autoboot", ""], ["=> ", "virtio info"], [
            "=> ",
            "virtio read 84000000 2 10",
          ], ["=> ", "poweroff"]),
        ]);
        assertEquals(run.status, 0, run.stderr);
        // It writes DRIVER over ACKNOWLEDGE, and has no fence on either side of the indices of its rings; of a disk that
        // cannot be written it does not take note.
        const known = [
          "status-order",
          "blk-read-only-declined",
          "barrier-available",
          "barrier-suppression",
          "barrier-used",
        ];
        assertEquals(rulesTold(run), known, run.stderr);
      },
    ));
  }
}
