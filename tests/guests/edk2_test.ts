import { assertEquals } from "@std/assert";
import { assertConsole, guestFile, rulesTold, runGuest, typed, VIRTIO_VERSIONS, withGuest } from "./guest.ts";

const CODE = "edk2/RISCV_VIRT_CODE.fd";
const DISK = "linux/root.ext4";
const VARS = "edk2/RISCV_VIRT_VARS.fd";

for (const version of VIRTIO_VERSIONS) {
  Deno.test(
    withGuest(`EDK2: the shell, and the disk in it (virtio-mmio version ${version})`, [CODE, VARS], async () => {
      const run = await runGuest([
        `--virtio-version=${version}`,
        "--memory=512M",
        `--flash=${guestFile(CODE)}`,
        `--flash=${guestFile(VARS)}`,
        // Without a key it waits twice for five seconds, and never sleeps.
        ...typed(["for boot options", ""], ["any other key to continue", ""]),
        "--expect=Shell>",
      ]);
      assertConsole(run, ["EDK2 firmware version", "UEFI Interactive Shell", "BLK0:"]);
      assertEquals(run.status, 0, run.stderr);
    }),
  );
}

/**
 * What is told of its drivers, by version: DeviceID is the first thing that it reads of a slot, a reset is not waited for,
 * nor is a queue looked at before it is set up; legacy features go without their selectors, and the modern driver reads
 * fields of the configuration in single bytes. The history in each finding shows it.
 */
const TOLD: Readonly<Record<1 | 2, readonly string[]>> = {
  2: ["probe-order", "reset-unread", "queue-ready-unread", "config-access"],
  1: ["probe-order", "reset-unread", "device-features-sel", "queue-ready-unread", "driver-features-sel"],
};

for (const version of VIRTIO_VERSIONS) {
  Deno.test(
    withGuest(
      `EDK2: what the checker says of its drivers is true (virtio-mmio version ${version})`,
      [CODE, VARS, DISK],
      async () => {
        const run = await runGuest([
          `--virtio-version=${version}`,
          "--memory=512M",
          "--check",
          `--flash=${guestFile(CODE)}`,
          `--flash=${guestFile(VARS)}`,
          `--drive=${guestFile(DISK)},ro`,
          ...typed(["for boot options", ""], ["any other key to continue", ""], ["Shell>", "dblk BLK0"], [
            "Shell>",
            "reset -s",
          ]),
        ]);
        assertConsole(run, ["EDK2 firmware version", "UEFI Interactive Shell", "BLK0:"]);
        assertEquals(run.status, 0, run.stderr);
        assertEquals(rulesTold(run), TOLD[version], run.stderr);
      },
    ),
  );
}
