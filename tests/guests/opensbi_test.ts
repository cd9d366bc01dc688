import { assertEquals } from "@std/assert";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
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

/** A kernel for RV32: there is none among Debian's packages. It prints by the SBI's legacy console and powers off. */
const KERNEL = `
  li a7, 1; li a0, '3'; ecall
  li a7, 1; li a0, '2'; ecall
  li a7, 1; li a0, 10; ecall
  li a7, 0x53525354; li a6, 0; li a0, 0; li a1, 0; ecall   # SRST, shut down
  j .
`;

for (const firmware of ["fw_dynamic.bin", "fw_jump.bin"]) {
  const file = `opensbi/rv32/${firmware}`;
  Deno.test(withGuest(`OpenSBI on RV32: ${firmware} with two harts, a kernel, power off`, [file], async () => {
    const kernel = await Deno.makeTempFile();
    try {
      await Deno.writeFile(kernel, new Assembler(parseIsa("rv32i")).program(KERNEL, 0x8040_0000n).bytes);
      const run = await runGuest(["--harts=2", `--bios=${guestFile(file)}`, `--kernel=${kernel}`], "rv32gc");
      assertConsole(run, [
        ...BANNER.filter((text) => !`${text}`.includes("rv64")),
        /Boot HART Base ISA +: rv32imafdc/,
        /Domain0 Next Address +: 0x80400000/,
        /\n32\n/,
      ]);
      assertEquals(run.status, 0, run.stderr);
    } finally {
      await Deno.remove(kernel);
    }
  }));
}
