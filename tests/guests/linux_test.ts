import { assertEquals, assertStringIncludes } from "@std/assert";
import { assertConsole, guestFile, runGuest, typed, VIRTIO_VERSIONS, withGuest } from "./guest.ts";

const FILES = ["linux/Image", "linux/initramfs.gz", "linux/root.ext4"];

/** Options that boot it in one of the modes of its /init. */
function linux(mode: string, more = ""): string[] {
  return [
    "--memory=256M",
    `--kernel=${guestFile("linux/Image")}`,
    `--initrd=${guestFile("linux/initramfs.gz")}`,
    `--append=console=ttyS0 guest=${mode}${more}`,
  ];
}

for (const version of VIRTIO_VERSIONS) {
  Deno.test(withGuest(`Linux: block, entropy and console pass (virtio-mmio version ${version})`, FILES, async () => {
    const run = await runGuest([
      `--virtio-version=${version}`,
      `--drive=${guestFile("linux/root.ext4")},ro`,
      "--device=blk,size=16M",
      "--check",
      ...linux("test"),
    ]);
    assertStringIncludes(run.stderr, "driver check: no findings");
    assertEquals(run.console.match(/(GUEST-FAIL|unhandled signal).*/g), null, run.console.slice(-3000));
    const checks = ["blk-ext4-sha", "blk-write-readback", "blk-mkfs-mount", "rng-hwrng-4096", "console-write"];
    assertConsole(run, [
      ...checks.map((check) => `GUEST-PASS ${check}`),
      "GUEST-HVC0 hello from virtio console",
      "GUEST-TEST-DONE",
      /driver=virtio_blk/,
      /driver=virtio_rng/,
      /driver=virtio_console/,
      /\b10\b.*ttyS0/,
      "reboot: Power down",
    ]);
    assertEquals(run.status, 0, run.stderr);
  }));

  Deno.test(
    withGuest(`Linux: its disk survives a power-off, and counts (virtio-mmio version ${version})`, FILES, async () => {
      const disk = await Deno.makeTempFile({ suffix: ".ext4" });
      try {
        await Deno.copyFile(guestFile("linux/root.ext4"), disk);
        const boots: (string | undefined)[] = [];
        for (let i = 0; i < 2; i++) {
          const run = await runGuest([
            `--virtio-version=${version}`,
            `--drive=${disk}`,
            ...linux("root"),
            // The shell of the disk's own init; what is typed is there when it asks.
            ...typed(["GUEST-ROOT boots=", "sync; mount -o remount,ro / && poweroff -f"]),
          ]);
          assertConsole(run, ["GUEST-ROOT rw ext4", "reboot: Power down"]);
          assertEquals(run.status, 0, run.stderr);
          boots.push(/GUEST-ROOT boots=(\d+)/.exec(run.console)?.[1]);
        }
        assertEquals(boots, ["1", "2"]);
      } finally {
        await Deno.remove(disk);
      }
    }),
  );
}

Deno.test(withGuest("Linux: eight harts on the built-in SBI", FILES, async () => {
  const run = await runGuest(["--harts=8", ...linux("off")]);
  assertConsole(run, [/smp: Brought up 1 node, 8 CPUs/, "GUEST-READY", "reboot: Power down"]);
  assertEquals(run.status, 0, run.stderr);
}));

Deno.test(withGuest("Linux: two harts on OpenSBI", [...FILES, "opensbi/fw_dynamic.bin"], async () => {
  const run = await runGuest([
    "--harts=2",
    `--bios=${guestFile("opensbi/fw_dynamic.bin")}`,
    ...linux("off"),
  ]);
  assertConsole(run, [/OpenSBI v\d/, /smp: Brought up 1 node, 2 CPUs/, "GUEST-READY", "reboot: Power down"]);
  assertEquals(run.status, 0, run.stderr);
}));

Deno.test(withGuest("Linux: a reboot boots again, and can end the run", FILES, async () => {
  const run = await runGuest([...linux("reboot"), "--no-reboot"]);
  assertConsole(run, ["GUEST-READY", "reboot: Restarting system"]);
  assertEquals(run.status, 0, run.stderr);
}));
