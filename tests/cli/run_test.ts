import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { CommandFolder, type CommandResult } from "../support/command.ts";

/** Stores `value` to the finisher. */
const finish = (value: number): string => `li t0, 0x100000; li t1, ${value}; sw t1, 0(t0)`;

/** Writes the characters of `text` to the UART. */
const print = (text: string): string =>
  [`li s0, 0x10000000`, ...[...text].map((char) => `li t0, ${char.charCodeAt(0)}; sb t0, 0(s0)`)].join("; ");

/** Waits for a character from the UART and leaves it in a0. */
const GET = "li s0, 0x10000000; 9: lbu t0, 5(s0); andi t0, t0, 1; beqz t0, 9b; lbu a0, 0(s0)";

const FOREVER = "loop: j loop";

/** Runs a program of assembly text. */
async function run(program: string, ...args: string[]): Promise<CommandResult> {
  using folder = new CommandFolder();
  return await folder.run([...args, folder.program("image.bin", program)]);
}

/** Tries `cases`, two at a time. */
async function each<T>(cases: readonly T[], check: (one: T) => Promise<void>): Promise<void> {
  const waiting = [...cases];
  const worker = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) await check(one);
  };
  await Promise.all([worker(), worker()]);
}

Deno.test("the exit status says how the guest ended", async () => {
  const cases: [program: string, args: string[], status: number, says: string][] = [
    [finish(0x5555), [], 0, ""],
    [finish(0x3333 | 3 << 16), [], 3, "The guest reported failure: code 3, through the test finisher."],
    [finish(0x3333), [], 1, "The guest reported failure: code 0"],
    [finish(0x3333 | 300 << 16), [], 255, "The guest reported failure: code 300"],
    [finish(0x7777), ["--no-reboot"], 0, ""],
    [finish(0x7777), ["--timeout-insns", "100"], 124, "The guest did not end in time: --timeout-insns 100 ran out."],
    ["wfi", [], 98, "The guest stalled: every hart waits for an interrupt"],
    [".word 0", [], 99, "It began with: illegal instruction in M mode at 0x80000000."],
    ["li a0, 0x40000000; ld a1, 0(a0)", [], 99, "load access fault in M mode at 0x80000004, address 0x40000000"],
    [FOREVER, ["--timeout-insns", "1k"], 124, "Hart 0 is in M mode at 0x80000000 after 1000 instructions."],
    // The timer fires long before so many instructions: it is not kept waiting by a guest that never pauses.
    [FOREVER, ["--timeout", "50ms", "--timeout-insns", "100G"], 124, "--timeout 0.05 ran out."],
  ];
  await each(cases, async ([program, args, status, says]) => {
    const { status: got, stdout, stderr } = await run(program, ...args);
    assertEquals([got, stdout], [status, ""], `${program}: ${stderr}`);
    if (says === "") assertEquals(stderr, "");
    else assertStringIncludes(stderr, says);
  });
});

Deno.test("a report has the last instructions, registers, and what each hart waits for", async () => {
  for (const engine of ["interpreter", "reference"]) {
    const { stderr } = await run(
      "li a0, 7; 1: addi a0, a0, -1; bnez a0, 1b; ebreak",
      "--harts",
      "2",
      "--engine",
      engine,
    );
    assertMatch(stderr, /^ {2}[> ] 8000000c {2}00100073 {2}ebreak +breakpoint$/m, engine);
    assertMatch(stderr, / a0 +0x0000000000000000 /);
    assertMatch(stderr, /^ {2}hart 1 {2}runs {2}in M mode at 0x[0-9a-f]+; mie enables nothing/m);
    assertMatch(stderr, /^last 2[0-9] instructions$/m, engine);
  }
});

Deno.test("an address is told by what is there, or nothing", async () => {
  const places: [address: string, there: string][] = [
    ["0x7fff0000", "nothing is there: between [a-z0-9-]+ and ram"],
    ["0x900000000", "nothing is there: above ram"],
    ["0", "nothing is there: below rom"],
    ["0x10000010", "uart"],
  ];
  await each(places, async ([address, there]) => {
    const { stderr } = await run(`li a0, ${address}; lbu a1, 0(a0)`);
    assertMatch(
      stderr,
      new RegExp(`load access fault.*, address 0x[0-9a-f]+ \\(${there}\\)`),
    );
  });
});

Deno.test("the machine is reset and boots again, until something else ends it", async () => {
  // It asks whether to go on; what was sent and not yet taken is there after a reset.
  const program = `${print("boot\n")}; ${GET}; li t0, 0x79; bne a0, t0, end; ${finish(0x7777)}; end: ${finish(0x5555)}`;
  const { status, stdout } = await run(program, "--send", "y", "--send", "yn");
  assertEquals([status, stdout], [0, "boot\nboot\nboot\n"]);
});

Deno.test("a script sends and expects in order, and gives its own status", async () => {
  const echo = `${print("ready\n")}; again: ${GET}; sb a0, 0(s0); li t0, 0x71; bne a0, t0, again; ${finish(0x5555)}`;
  const fail = `${print("ready\n")}; ${finish(0x3333 | 9 << 16)}`;
  const cases: [program: string, args: string[], status: number, stdout: string, stderr: RegExp][] = [
    [echo, ["--expect", "ready", "--send", "abc", "--expect", "bc"], 0, "ready\nabc", /^$/],
    [echo, ["--send", "xq", "--expect", "ready\\nxq"], 0, "ready\nxq", /^$/],
    [echo, ["--expect", "ready", "--send", "abcq"], 0, "ready\nabcq", /^$/],
    [
      echo,
      ["--expect", "ready", "--send", "q", "--expect", "more"],
      1,
      "ready\nq",
      /^ringside: still waiting for "more"/,
    ],
    [
      fail,
      ["--expect", "more"],
      9,
      "ready\n",
      /failure: code 9[^]*ringside: still waiting for "more" .*\n.*\n {2}\| ready\n$/,
    ],
    [
      echo,
      ["--expect", "more", "--timeout-insns", "1M"],
      124,
      "ready\n",
      /--timeout-insns 1000000[^]*still waiting for "more"/,
    ],
  ];
  await each(cases, async ([program, args, status, stdout, stderr]) => {
    const got = await run(program, ...args);
    assertEquals([got.status, got.stdout], [status, stdout], got.stderr);
    assertMatch(got.stderr, stderr);
  });
});

Deno.test("standard input reaches the guest, waits until it is taken, and may be the image", async () => {
  const late = `li s1, 100000; 1: addi s1, s1, -1; bnez s1, 1b; ${GET}; sb a0, 0(s0); ${GET}; sb a0, 0(s0); ${
    finish(0x5555)
  }`;
  using folder = new CommandFolder();
  const image = folder.program("image.bin", late);
  assertEquals(await folder.run([image], { stdin: "ok" }), { status: 0, stdout: "ok", stderr: "" });
  const pass = folder.program("pass.bin", `${print("from a pipe\n")}; ${finish(0x5555)}`);
  const piped = await folder.run(["-"], { stdin: Deno.readFileSync(folder.file(pass)), permissions: [] });
  assertEquals(piped, { status: 0, stdout: "from a pipe\n", stderr: "" });
});

Deno.test("a guest that idles waits for input that may still come, and is stalled when it has ended", async () => {
  // Receive interrupts of the UART (source 10) wake it through the PLIC.
  const program = `
    li t0, 0x0c000028; li t1, 1; sw t1, 0(t0)       # priority of source 10
    li t0, 0x0c002000; li t1, 1024; sw t1, 0(t0)    # enable it for hart 0, M mode
    li s0, 0x10000000; li t1, 1; sb t1, 1(s0)       # IER: received data
    li t1, 2048; csrw mie, t1
    wfi
    lbu a0, 0(s0); sb a0, 0(s0); ${finish(0x5555)}`;
  using folder = new CommandFolder();
  const image = folder.program("image.bin", program);
  const late = await folder.run([image], {
    stdin: "x",
    meanwhile: () => new Promise((resolve) => setTimeout(resolve, 300)),
  });
  assertEquals(late, { status: 0, stdout: "x", stderr: "" });
  const never = await folder.run([image]);
  assertEquals([never.status, never.stdout], [98, ""]);
  assertStringIncludes(never.stderr, "mie enables MEIE, ");
});

Deno.test("the device tree is written to a file, for the machine that would run", async () => {
  using folder = new CommandFolder();
  const { status, stdout, stderr } = await folder.run(["--dump-dtb", "a.dtb", "--harts", "3", "--isa", "rv32imac"]);
  assertEquals([status, stdout, stderr], [0, "", ""]);
  const bytes = Deno.readFileSync(folder.file("a.dtb"));
  const view = new DataView(bytes.buffer);
  assertEquals([view.getUint32(0), view.getUint32(4)], [0xd00dfeed, bytes.length]);
  const text = new TextDecoder("latin1").decode(bytes);
  for (const name of ["cpu@0", "cpu@2", "rv32imac", "virtio_mmio@10008000"]) assertStringIncludes(text, name);
  assertEquals(text.includes("cpu@3"), false);
});

Deno.test("--append and --dtb are for a plain image too", async () => {
  using folder = new CommandFolder();
  const image = folder.program("image.bin", finish(0x5555));
  assertEquals((await folder.run(["--append", "quiet x=1", "--dump-dtb", "a.dtb", image])).status, 0);
  const text = new TextDecoder("latin1").decode(Deno.readFileSync(folder.file("a.dtb")));
  assertStringIncludes(text, "quiet x=1\0");
  assertEquals((await folder.run(["--dtb", "a.dtb", image])).status, 0);
  // Not a device tree, and not there.
  for (const [dtb, says] of [[image, "device tree: "], ["none.dtb", "cannot be read: no such file"]] as const) {
    const { status, stderr } = await folder.run(["--dtb", dtb, image]);
    assertEquals(status, 66, stderr);
    assertStringIncludes(stderr, `${dtb}: ${says}`);
  }
});

Deno.test("signals end the run with status 130, after the guest's last words, busy or idle", async () => {
  // Once the guest is up it has made a line of its trace; or it has ended, which it should not.
  const up = async (folder: CommandFolder, child: Deno.ChildProcess): Promise<void> => {
    let ended = false;
    child.status.then(() => ended = true);
    const traced = (): boolean => folder.list().some((file) => /^t\.log:[1-9]/.test(file));
    while (!ended && !traced()) await new Promise((go) => setTimeout(go, 20));
  };
  const cases = [["SIGINT", FOREVER], ["SIGTERM", FOREVER], ["SIGTERM", "wfi"]] as const;
  await each(cases, async ([signal, program]) => {
    using folder = new CommandFolder();
    const image = folder.program("image.bin", `${print("up\n")}; ${program}`);
    const result = await folder.run(["--trace-devices=t.log", image], {
      meanwhile: async (child) => {
        await up(folder, child);
        child.kill(signal);
        await child.status;
      },
    });
    assertEquals(result, { status: 130, stdout: "up\n", stderr: "" }, `${signal}, ${program}`);
  });
});

Deno.test("a time-out ends an idle guest whose input is open", async () => {
  using folder = new CommandFolder();
  const image = folder.program("image.bin", "wfi");
  const { status, stderr } = await folder.run(["--timeout", "100ms", image], {
    meanwhile: async (child) => void await child.status,
  });
  assertEquals(status, 124);
  assertStringIncludes(stderr, "--timeout 0.1 ran out.");
});
