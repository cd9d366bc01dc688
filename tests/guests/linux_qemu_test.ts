/**
 * What the same Linux, on the same OpenSBI and the same disk, finds here and on QEMU: processor, interrupts, virtio features,
 * and the map of physical memory. Every difference must be one of those listed, and each of these must be there.
 */
import { assertEquals } from "@std/assert";
import { featureName } from "../../devices/virtio/features.ts";
import { toolVersion, withTool } from "../support/tools.ts";
import { assertConsole, guestFile, runGuest, withGuest } from "./guest.ts";

const FILES = ["opensbi/fw_dynamic.bin", "linux/Image", "linux/initramfs.gz", "linux/root.ext4"];
const BOOT = [
  ...["-bios", guestFile(FILES[0]!), "-kernel", guestFile(FILES[1]!), "-initrd", guestFile(FILES[2]!)],
  ...["-append", "console=ttyS0 guest=info"],
];

/** What one of them has and the other has not, and why. */
const DIFFERENCES: readonly (readonly [only: "here" | "qemu", what: string | RegExp, why: string])[] = [
  ["here", /^cpu has zicbo[mz]$/, "QEMU 7.2 has no cache-block operations"],
  ["here", /^cpu has sv(inval|napot|pbmt)$/, "QEMU 7.2 has them and leaves them out by default"],
  ["qemu", "cpu has h", "there is no hypervisor extension here"],
  ["here", /^cpu m(arch|imp)id 0x0$/, "0 says nothing (priv §3.1.3, §3.1.4)"],
  ["qemu", /^cpu m(arch|imp)id 0x70216$/, "QEMU's version"],
  ["here", "10001000 has VIRTIO_CONSOLE_F_SIZE", "QEMU's console does not say how large it is"],
  ["qemu", "10001000 has VIRTIO_CONSOLE_F_MULTIPORT", "one console has one port here, unless more are asked for"],
  ["qemu", /^10002000 has VIRTIO_BLK_F_(DISCARD|WRITE_ZEROES)$/, "discard=on offers them here"],
  ["qemu", /^iomem \w+-\w+ : (PCI ECAM|pci@30000000)$/, "there is no PCI yet"],
];

/** A boot with three virtio devices in slots 0, 1 and 2. */
async function onQemu(): Promise<string> {
  const { stdout } = await new Deno.Command("qemu-system-riscv64", {
    args: [
      ...["-M", "virt", "-m", "256M", "-display", "none", "-monitor", "none", "-serial", "stdio", ...BOOT],
      ...["-global", "virtio-mmio.force-legacy=false", "-chardev", "null,id=c"],
      ...["-device", "virtio-serial-device,bus=virtio-mmio-bus.0", "-device", "virtconsole,chardev=c"],
      ...["-drive", `file=${guestFile(FILES[3]!)},if=none,format=raw,id=d,readonly=on`],
      ...["-device", "virtio-blk-device,drive=d,bus=virtio-mmio-bus.1"],
      ...["-device", "virtio-rng-device,bus=virtio-mmio-bus.2"],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return new TextDecoder().decode(stdout).replaceAll("\r", "");
}

/** The facts in what `guest=info` prints, each a line that means the same on both. */
function facts(console: string): Set<string> {
  const section = (name: string) => console.split(`--- ${name}\n`)[1]?.split("\n--- ")[0]?.split("\n") ?? [];
  const found = new Set<string>();
  for (const line of section("cpuinfo")) {
    const [, key, value] = /^(\w[\w ]*?)\s*: (.*)$/.exec(line) ?? [];
    if (key === "isa") { for (const name of isaNames(value!)) found.add(`cpu has ${name}`); }
    else if (key !== undefined && key !== "hart isa") found.add(`cpu ${key} ${value}`);
  }
  // Linux's own numbers and the counts are a matter of order and time.
  for (const line of section("interrupts")) {
    const [, what] = /^ *(?:\d+|IPI\d): +\d+ +(.*)$/.exec(line) ?? [];
    if (what !== undefined) found.add(`interrupt ${what.replaceAll(/ +/g, " ").replace(/virtio\d$/, "virtio")}`);
  }
  for (const line of section("virtio devices")) {
    const [, type, features, driver, slot] =
      /type=0x(\w+) .* features=([01]+) driver=(\S*) slot=(\w+)\.virtio_mmio/.exec(line) ?? [];
    if (type === undefined) continue;
    const id = parseInt(type, 16);
    found.add(`${slot} is device ${id} with driver ${driver}`);
    [...features!].forEach((bit, n) => bit === "1" && found.add(`${slot} has ${featureName(id, n)}`));
  }
  // What the kernel reserves for itself depends on the size of the device tree and of the firmware's tables.
  for (const line of section("iomem")) {
    if (/ : /.test(line) && !line.endsWith("Reserved")) found.add(`iomem ${line.trim()}`);
  }
  return found;
}

/** `rv64imafdc_zicsr` is `rv64`, `i`, `m` and so on. */
function isaNames(isa: string): string[] {
  const [base = "", ...long] = isa.split("_");
  return [base.slice(0, 4), ...base.slice(4), ...long];
}

const tool = {
  command: "qemu-system-riscv64",
  version: await toolVersion("qemu-system-riscv64"),
  accepts: /version 7\.2\./,
};

const test = withTool("what it finds is what it finds on QEMU, but for what is explained", tool, async () => {
  const run = await runGuest(
    [
      ...["--memory=256M", "--no-default-devices", "--device=console"],
      ...[`--drive=${guestFile(FILES[3]!)},ro`, "--device=rng"],
      ...BOOT.map((arg) => arg.replace(/^-(?=[a-z])/, "--")),
    ],
    "",
  );
  assertConsole(run, ["--- iomem", "reboot: Power down"]);
  const [here, qemu] = [facts(run.console), facts(await onQemu())];
  const is = (what: string | RegExp, fact: string) => typeof what === "string" ? what === fact : what.test(fact);
  const only = { here: [...here.difference(qemu)], qemu: [...qemu.difference(here)] };
  for (const where of ["here", "qemu"] as const) {
    const known = DIFFERENCES.filter(([side]) => side === where).map(([, what]) => what);
    assertEquals(
      only[where].filter((fact) => !known.some((what) => is(what, fact))),
      [],
      `only ${where}, not explained`,
    );
    assertEquals(
      known.filter((what) => !only[where].some((fact) => is(what, fact))),
      [],
      `explained, but not only ${where}`,
    );
  }
});
Deno.test(
  withGuest(
    `Linux: ${test.name}`,
    FILES,
    test.ignore ? () => Promise.resolve() : async () => void await test.fn({} as Deno.TestContext),
  ),
);
