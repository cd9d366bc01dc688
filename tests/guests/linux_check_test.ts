/** Linux's virtio drivers under the driver checker: at work, unloaded and loaded again, suspended and woken. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { assertConsole, guestFile, runGuest, typed, withGuest } from "./guest.ts";

const FILES = ["linux/Image", "linux/initramfs.gz", "linux/root.ext4"];

/** Has every driver do something, and says so. */
function work(done: string): string {
  return [
    "dd if=/dev/urandom of=/tmp/r bs=64k count=32 2>/dev/null",
    "dd if=/tmp/r of=/dev/vdb bs=64k conv=fsync 2>/dev/null",
    "echo 3 > /proc/sys/vm/drop_caches",
    "dd if=/dev/vdb bs=64k count=32 2>/dev/null | cmp - /tmp/r || echo LOST",
    "mount -t ext4 -o ro /dev/vda /mnt",
    "(cd /mnt/data && sha256sum -c SHA256SUMS > /dev/null) || echo LOST",
    "umount /mnt",
    "dd if=/dev/hwrng of=/dev/null bs=512 count=2",
    "echo hello > /dev/hvc0",
    `echo ${done.slice(0, 2)}""${done.slice(2)}`,
  ].join("; ");
}

/** Everything is unloaded, first the drivers of devices, then with the transport beneath them. */
const UNLOAD = [
  "rmmod virtio_blk virtio_rng",
  "modprobe virtio_blk",
  "modprobe virtio_rng",
  "C=$(cd /sys/bus/virtio/drivers/virtio_console; ls -d virtio*)",
  "echo $C > /sys/bus/virtio/drivers/virtio_console/unbind",
  "echo $C > /sys/bus/virtio/drivers/virtio_console/bind",
  "rmmod virtio_mmio",
  "ls /dev/vda /dev/hwrng",
  "modprobe virtio_mmio",
].join("; ");

/** Suspends to idle; a key at the UART is what wakes it, once it says that it sleeps. */
const SUSPEND = [
  "dmesg -n 8",
  "echo 1 > /sys/power/pm_debug_messages",
  "echo enabled > /sys/class/tty/ttyS0/power/wakeup",
  "echo freeze > /sys/power/state",
].join("; ");

const CONFIGURATIONS: readonly (readonly [name: string, version: 1 | 2, features: string])[] = [
  ["legacy", 1, ""],
  ["split virtqueues", 2, ",ring_reset=on"],
  ["packed virtqueues", 2, ",packed=on,ring_reset=on"],
];

for (const [name, version, features] of CONFIGURATIONS) {
  Deno.test(
    withGuest(`Linux, ${name}: no finding at work, in unloading and loading, in suspending`, FILES, async () => {
      const run = await runGuest([
        "--check",
        `--virtio-version=${version}`,
        "--memory=256M",
        `--kernel=${guestFile("linux/Image")}`,
        `--initrd=${guestFile("linux/initramfs.gz")}`,
        "--append=console=ttyS0 guest=shell no_console_suspend",
        "--no-default-devices",
        `--drive=${guestFile("linux/root.ext4")},ro${features}`,
        `--device=blk,size=16M${features}`,
        `--device=rng${features}`,
        `--device=console${features}`,
        ...typed(
          ["Guest shell", work("FIRST-WORK")],
          ["FIRST-WORK", UNLOAD],
          ["No such file", work("AFTER-RELOAD")],
          ["AFTER-RELOAD", SUSPEND],
          ["PM: suspend-to-idle", ""],
          ["PM: suspend exit", work("AFTER-RESUME")],
          ["AFTER-RESUME", "lsmod; poweroff -f"],
        ),
      ]);
      assertConsole(run, ["PM: resume from suspend-to-idle", "reboot: Power down"]);
      assertEquals(run.console.match(/^(LOST|dd: .*)/gm), null, run.console.slice(-3000));
      assertStringIncludes(run.stderr, "driver check: no findings");
      assertEquals(run.status, 0, run.stderr);
    }),
  );
}
