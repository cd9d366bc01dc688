import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CommandFolder, type CommandOptions } from "../support/command.ts";
import { buildElf } from "../support/elf_builder.ts";

/** Two instructions that pass at once: `li a0, 0x5555; sw a0, 0x100000`. */
const PASS = "li a0, 0x5555; li a1, 0x100000; sw a0, 0(a1)";

/** Files of every kind that is wrong somewhere. */
function badFiles(): CommandFolder {
  const folder = new CommandFolder();
  const code = new Uint8Array(16).fill(0x13);
  const segment = { paddr: 0x8000_0000n, data: code };
  folder.program("pass.bin", PASS);
  folder.write("empty.bin", 0);
  folder.write("large.bin", 70_000);
  Deno.mkdirSync(folder.file("folder"));
  const elf = buildElf({ segments: [segment] });
  folder.write("cut.elf", elf.subarray(0, 100));
  folder.write("short.elf", elf.subarray(0, 10));
  folder.write("arm.elf", buildElf({ machine: 183, segments: [segment] }));
  folder.write("rv32.elf", buildElf({ xlen: 32, segments: [segment] }));
  folder.write("overlap.elf", buildElf({ segments: [segment, { paddr: 0x8000_0008n, data: code }] }));
  folder.write("low.elf", buildElf({ segments: [{ paddr: 0x1000n, data: code }] }));
  folder.write("nothing.elf", buildElf({ segments: [] }));
  folder.write("huge.bin", 0);
  Deno.truncateSync(folder.file("huge.bin"), 2 ** 31);
  folder.write("pass.elf", elf);
  folder.write("cut.gz", Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3));
  folder.write("bank.bin", 2 ** 25 + 1);
  folder.write("disk.img", 1024);
  folder.write("odd.img", 1000);
  return folder;
}

/** What is wrong with a command line, its exit status, and what the one line on standard error must say. */
const WRONG: readonly (readonly [args: string, status: number, says: string])[] = [
  ["none.bin", 66, "none.bin: cannot be read: no such file"],
  ["folder", 66, "folder: cannot be read: it is a directory"],
  ["empty.bin", 66, "empty.bin: image is empty: expected an ELF file or a flat binary"],
  ["--memory 64K large.bin", 66, "large.bin: image of 0x11170 bytes at 0x80000000 does not fit into RAM"],
  ["huge.bin", 66, "huge.bin: too large: at most 1G are read"],
  ["short.elf", 66, "short.elf: ELF header is cut off: expected 52 or 64 bytes, got 10"],
  ["cut.elf", 66, "cut.elf: "],
  ["arm.elf", 66, "arm.elf: ELF is for AArch64 (183): expected RISC-V (243)"],
  ["--isa rv64imac rv32.elf", 66, "rv32.elf: ELF is for RV32: expected RV64, which the ISA asks for"],
  ["overlap.elf", 66, "overlap.elf: segments 0 and 1 overlap: 0x80000000 to 0x80000010 and 0x80000008 to 0x80000018"],
  ["low.elf", 66, "low.elf: segment of 0x10 bytes at 0x1000 does not fit into RAM"],
  ["nothing.elf", 66, "nothing.elf: ELF has nothing to load"],
  ["--symbols none.elf pass.bin", 66, "none.elf: cannot be read: no such file"],
  ["--symbols disk.img pass.bin", 66, "disk.img: has no symbols: expected an ELF file"],
  ["--drive none.img pass.bin", 66, "none.img: cannot be opened for reading and writing"],
  ["--drive odd.img pass.bin", 66, "odd.img: cannot be a disk: its size of 1000 bytes is not a multiple of 512"],
  ["--drive empty.bin pass.bin", 66, "empty.bin: cannot be a disk: it is empty"],
  ["--drive folder,ro pass.bin", 66, "folder: cannot be a disk: it is a directory"],
  ["--drive disk.img --drive disk.img pass.bin", 2, "are the same file: only drives that do not write it may share it"],
  ["--trace=none/t.log pass.bin", 66, "none/t.log: cannot be written: no such file"],
  [
    "--trace=disk.img --drive disk.img pass.bin",
    2,
    "a trace cannot be written to disk.img: it is the same file as disk.img",
  ],
  ["--trace=t.log --drive odd.img pass.bin", 66, "odd.img: cannot be a disk"],
  ["--trace=t.log --trace-filter pc=main pass.bin", 2, "--trace-filter: pc: expected ADDRESS"],
  ["--trace=t.log --trace-filter class=lode pass.bin", 2, "--trace-filter: class: expected alu"],
  ["--memroy 1G pass.bin", 2, "unknown option --memroy; did you mean --memory?"],
  ["--device blok pass.bin", 2, "did you mean blk?"],
  ["--memory 5G pass.bin", 2, `--memory: expected a size from 64K to 3G`],
  ["--kernel pass.bin pass.bin", 2, "pass.bin and --kernel: an image is what runs first; give it as --bios pass.bin"],
  ["--kernel none.bin", 66, "none.bin: cannot be read: no such file"],
  ["--kernel empty.bin", 66, "empty.bin: image is empty"],
  ["--kernel cut.gz", 66, "cut.gz: gzip data is damaged or cut off"],
  ["--isa rv64imac --kernel rv32.elf", 66, "rv32.elf: ELF is for RV32: expected RV64, which the ISA asks for"],
  ["--memory 2M --kernel pass.bin", 66, "pass.bin: image of 0x"],
  ["--bios rv32.elf --kernel pass.elf", 66, "pass.elf: ELF is for RV64: expected RV32, which the ISA asks for"],
  ["--kernel pass.elf --bios pass.bin", 66, "pass.elf: 0x80000000 to 0x"],
  ["--memory 4M --kernel pass.bin --initrd large.bin", 66, "large.bin: 0x80400000 to 0x80411170 does not fit into RAM"],
  ["--kernel pass.bin --dtb odd.img", 66, "odd.img: device tree: magic is 0x00000000"],
  ["--flash huge.bin", 66, "huge.bin: too large: at most 1G are read"],
  ["--flash bank.bin", 66, "bank.bin: 0x2000001 bytes, a flash bank has 0x2000000"],
  ["", 2, "no image: expected the name of a flat binary or ELF file"],
];

/** Checks that a run failed as it should, in one line, and left no trace behind. */
async function refuses(folder: CommandFolder, args: string, status: number, says: string, options?: CommandOptions) {
  const { status: got, stdout, stderr } = await folder.run(args.split(" ").filter((word) => word !== ""), options);
  assertStringIncludes(stderr, says, args);
  assertMatch(stderr, /^ringside: [^\n]+\n$/, args);
  assertEquals([got, stdout], [status, ""], `${args}: ${stderr}`);
}

Deno.test("every bad input is one line and its status, and nothing is written", async () => {
  using folder = badFiles();
  const before = folder.list();
  const waiting = [...WRONG];
  const worker = async (): Promise<void> => {
    for (let row = waiting.shift(); row !== undefined; row = waiting.shift()) await refuses(folder, ...row);
  };
  await Promise.all([worker(), worker(), worker()]);
  assertEquals(folder.list(), before);
  assertEquals(Deno.readFileSync(folder.file("disk.img")), new Uint8Array(1024));
});

Deno.test("the image on standard input is checked like one in a file", async () => {
  using folder = new CommandFolder();
  await refuses(folder, "-", 66, "standard input: image is empty");
  await refuses(folder, "-", 66, "standard input: image is compressed with gzip", {
    stdin: Uint8Array.of(0x1f, 0x8b, 8),
  });
});

Deno.test("a denied permission is one line with the command that works", async () => {
  using folder = new CommandFolder();
  folder.program("my image.bin", PASS);
  folder.write("disk.img", 1024);
  const before = folder.list();
  const args = ["--drive", "disk.img", "--trace-devices=t.log", "my image.bin"];
  for (const permissions of [[], ["--allow-read"], ["--allow-read", "--allow-write=disk.img"]]) {
    const { status, stdout, stderr } = await folder.run(args, { permissions });
    assertEquals([status, stdout], [77, ""], stderr);
    assertMatch(stderr, /^ringside: Deno denied (read|write) access to "[^"]+"; run: deno run [^\n]+\n$/);
    assertEquals(folder.list(), before);
    const command = stderr.slice(stderr.indexOf("; run: deno ") + 12).trimEnd();
    assertStringIncludes(command, `'--allow-read=my image.bin,disk.img' --allow-write=t.log,disk.img `);
    if (permissions.length > 0) continue;
    // The command does work, with a shell in between.
    const { code, stderr: complaint } = await new Deno.Command("sh", {
      args: ["-c", `'${Deno.execPath()}' ${command}`],
      cwd: folder.path,
      stdin: "null",
      stdout: "null",
    }).output();
    assertEquals([code, new TextDecoder().decode(complaint)], [0, ""]);
    Deno.removeSync(folder.file("t.log"));
  }
});

Deno.test("a trace may go to a device, with no more permission than that", async () => {
  using folder = new CommandFolder();
  folder.program("pass.bin", PASS);
  const permissions = ["--allow-read=pass.bin", "--allow-write=/dev/null"];
  const { status, stderr } = await folder.run(["--trace=/dev/null", "pass.bin"], { permissions });
  assertEquals([status, stderr], [0, ""]);
});

Deno.test("a disk that the system does not let us write is told so, and can be used for reading", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  using folder = new CommandFolder();
  folder.program("pass.bin", PASS);
  // Nobody, not even root, may write a program that runs.
  const sleep = Deno.realPathSync("/bin/sleep");
  Deno.copyFileSync(sleep, folder.file("busy.img"));
  Deno.truncateSync(folder.file("busy.img"), Math.ceil(Deno.statSync(sleep).size / 512) * 512);
  const running = new Deno.Command(folder.file("busy.img"), { args: ["60"] }).spawn();
  try {
    await refuses(
      folder,
      "--drive busy.img pass.bin",
      66,
      "busy.img: cannot be opened for reading and writing (,ro opens",
    );
    assertEquals((await folder.run(["--drive", "busy.img,ro", "pass.bin"])).status, 0);
  } finally {
    running.kill();
    await running.status;
  }
});

Deno.test("help, version and the kinds of devices are printed and end with status 0", async () => {
  using folder = new CommandFolder();
  for (const [args, says] of [["--help", "Usage: deno run"], ["--version", "ringside "], ["--device help", "  rng "]]) {
    const { status, stdout, stderr } = await folder.run(args!.split(" "), { permissions: [] });
    assertEquals([status, stderr], [0, ""]);
    assertStringIncludes(stdout, says!);
  }
});

Deno.test("a standard output that is full or closed ends the run, in one line or without a word", {
  ignore: Deno.build.os !== "linux",
}, async () => {
  using folder = new CommandFolder();
  folder.program("hello.bin", "li a0, 0x10000000; 1: li a1, 0x41; sb a1, 0(a0); j 1b");
  const main = decodeURIComponent(new URL("../../vm/main.ts", import.meta.url).pathname);
  const full = "ringside: standard output: cannot be written: No space left on device\n";
  const cases: [args: string, redirection: string, status: number, stderr: string][] = [
    ["hello.bin", "> /dev/full", 66, full],
    ["--help", "> /dev/full", 66, full],
    ["hello.bin", "| head -c 1 >&2", 130, "A"],
  ];
  for (const [args, redirection, status, stderr] of cases) {
    const command = `set -o pipefail; '${Deno.execPath()}' run -A --frozen '${main}' ${args} ${redirection}`;
    const { code, stderr: said } = await new Deno.Command("bash", {
      args: ["-c", command],
      cwd: folder.path,
      env: { NO_COLOR: "1" },
      stdin: "null",
    }).output();
    assertEquals([code, new TextDecoder().decode(said)], [status, stderr], args);
  }
});
