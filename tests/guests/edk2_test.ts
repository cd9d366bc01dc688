import { assertEquals } from "@std/assert";
import { assertConsole, guestFile, runGuest, typed, VIRTIO_VERSIONS, withGuest } from "./guest.ts";

const CODE = "edk2/RISCV_VIRT_CODE.fd";
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
