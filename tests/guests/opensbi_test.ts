import { assertEquals, assertStringIncludes } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { assertConsole, guestFile, type GuestRun, runGuest, VIRTIO_VERSIONS, withGuest } from "./guest.ts";

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

/** A kernel for any XLEN: it prints by the SBI's legacy console and powers off. */
const KERNEL = `
  li a7, 1; li a0, 'K'; ecall
  li a7, 1; li a0, '!'; ecall
  li a7, 1; li a0, 10; ecall
  li a7, 0x53525354; li a6, 0; li a0, 0; li a1, 0; ecall   # SRST, shut down
  j .
`;

/** Boots the kernel on `firmware`. */
async function runKernel(firmware: string, isa: string, kernelAt: bigint, args: readonly string[]): Promise<GuestRun> {
  const kernel = await Deno.makeTempFile();
  try {
    await Deno.writeFile(kernel, new Assembler(parseIsa(isa.slice(0, 5))).program(KERNEL, kernelAt).bytes);
    return await runGuest([...args, `--bios=${guestFile(firmware)}`, `--kernel=${kernel}`], isa);
  } finally {
    await Deno.remove(kernel);
  }
}

// There is no kernel for RV32 among Debian's packages.
for (const firmware of ["fw_dynamic.bin", "fw_jump.bin"]) {
  const file = `opensbi/rv32/${firmware}`;
  Deno.test(withGuest(`OpenSBI on RV32: ${firmware} with two harts, a kernel, power off`, [file], async () => {
    const run = await runKernel(file, "rv32gc", 0x8040_0000n, ["--harts=2"]);
    assertConsole(run, [
      ...BANNER.filter((text) => !`${text}`.includes("rv64")),
      /Boot HART Base ISA +: rv32imafdc/,
      /Domain0 Next Address +: 0x80400000/,
      /\nK!\n/,
    ]);
    assertEquals(run.status, 0, run.stderr);
  }));
}

for (
  const [file, isa, kernelAt] of [
    ["opensbi/fw_dynamic.bin", "rv64gc", 0x8020_0000n],
    ["opensbi/fw_jump.bin", "rv64gc", 0x8020_0000n],
    ["opensbi/rv32/fw_dynamic.bin", "rv32gc", 0x8040_0000n],
  ] as const
) {
  Deno.test(withGuest(`OpenSBI alone, ${file}: the checker finds nothing`, [file], async () => {
    for (const version of VIRTIO_VERSIONS) {
      const run = await runKernel(file, isa, kernelAt, ["--check", `--virtio-version=${version}`, "--harts=2"]);
      assertConsole(run, ["Platform Name", /\nK!\n/]);
      assertEquals(run.status, 0, run.stderr);
      assertStringIncludes(run.stderr, "driver check: no findings");
    }
  }));
}
