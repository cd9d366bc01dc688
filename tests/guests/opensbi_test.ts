import { assertEquals } from "@std/assert";
import { assertConsole, guestFile, runGuest, VIRTIO_VERSIONS, withGuest } from "./guest.ts";

/** What the banner says of the devices it found in the device tree. */
const BANNER: readonly (string | RegExp)[] = [
  /OpenSBI v\d/,
  /Platform Name +: riscv-virtio,qemu/,
  /Platform IPI Device +: aclint-mswi/,
  /Platform Timer Device +: aclint-mtimer @ 10000000Hz/,
  /Platform Console Device +: uart8250/,
  /Platform Reboot Device +: \S*(syscon|sifive)\S*/,
  /Platform Shutdown Device +: \S*(syscon|sifive)\S*/,
  /Boot HART Base ISA +: rv64imafdc/,
  /Boot HART PMP Count +: 16/,
];

for (const version of VIRTIO_VERSIONS) {
  Deno.test(withGuest(
    `OpenSBI: banner, and on to U-Boot by fw_dynamic (virtio-mmio version ${version})`,
    ["opensbi/fw_dynamic.bin", "u-boot/s-mode.bin"],
    async () => {
      const run = await runGuest([
        `--virtio-version=${version}`,
        `--bios=${guestFile("opensbi/fw_dynamic.bin")}`,
        `--kernel=${guestFile("u-boot/s-mode.bin")}`,
        "--expect=Hit any key to stop autoboot",
      ]);
      assertConsole(run, [...BANNER, /Domain0 Next Address +: 0x0000000080200000/, /Domain0 Next Mode +: S-mode/]);
      assertEquals(run.status, 0);
    },
  ));
}

Deno.test(withGuest("OpenSBI: fw_jump with four harts", ["opensbi/fw_jump.bin", "u-boot/s-mode.bin"], async () => {
  const run = await runGuest([
    "--harts=4",
    `--bios=${guestFile("opensbi/fw_jump.bin")}`,
    `--kernel=${guestFile("u-boot/s-mode.bin")}`,
    "--expect=Hit any key to stop autoboot",
  ]);
  assertConsole(run, [...BANNER, /Platform HART Count +: 4/, /Domain0 HARTs +: (\d\*?,?){4}/]);
  assertEquals(run.status, 0);
}));
