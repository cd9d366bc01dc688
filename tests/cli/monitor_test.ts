/** The monitor's commands on machines that have stopped somewhere, and once on a real terminal. */
import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { readImage } from "../../vm/boot/image.ts";
import { ImageNames } from "../../vm/cli/image_names.ts";
import { Monitor } from "../../vm/cli/monitor.ts";
import { monitorCommands, type MonitorEnd } from "../../vm/cli/monitor_commands.ts";
import { queueLines } from "../../vm/cli/monitor_devices.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { Machine } from "../../vm/machine.ts";
import { MemorySink } from "../../vm/trace/sink.ts";
import { bootImage } from "../support/boot_image.ts";
import { TestPort } from "../support/char_port.ts";
import { CommandFolder } from "../support/command.ts";
import { canTryPty, onPty } from "../support/pty.ts";

/** What a monitor said, by command, and how it ended. */
interface Conversation {
  readonly end: MonitorEnd;
  readonly said: readonly string[];
}

/** Types `lines` in a monitor; after the last one the user wants out. */
async function converse(
  machine: Machine,
  names: ImageNames,
  lines: readonly string[],
  sink = new MemorySink(),
): Promise<Conversation> {
  const said = [""];
  const left = [...lines];
  const monitor = new Monitor({
    context: { machine, names, recent: undefined },
    lines: {
      read: () => {
        said.push("");
        return Promise.resolve(left.shift());
      },
    },
    write: (text) => void (said[said.length - 1] += text),
    open: () => sink,
  });
  const end = await monitor.converse();
  monitor.close();
  return { end, said: said.slice(1) };
}

/** `images/console_echo.elf` after so many instructions. */
async function echo(steps: number, devices: string[] = []): Promise<{ machine: Machine; names: ImageNames }> {
  let machine: Machine | undefined;
  const started = (m: Machine): void => void (machine = m);
  await bootImage("console_echo.elf", { xlen: 64, engine: "interpreter", steps, devices, started });
  const file = new URL("../../images/console_echo.elf", import.meta.url);
  return { machine: machine!, names: new ImageNames(readImage(await Deno.readFile(file), { name: "echo" })) };
}

/** A program at the start of RAM, at its first instruction. */
async function program(text: string, harts = 1): Promise<{ machine: Machine; names: ImageNames }> {
  const isa = parseIsa("rv64imac");
  const machine = new Machine({ isa, memorySize: 1 << 20, harts, uart: new TestPort(), slots: [] });
  machine.load(readImage(new Assembler(isa).program(text, 0x8000_0000n).bytes, { name: "program" }));
  await machine.run({ steps: 6 });
  return { machine, names: new ImageNames(undefined) };
}

Deno.test("monitor: registers, CSRs and where the hart is", async () => {
  const { machine, names } = await echo(60_000);
  const { said: [registers, csrs, some, none], end } = await converse(machine, names, [
    "r",
    "csr",
    "csr mstatus 0x305",
    "csr mbogus",
  ]);
  assertEquals(end, "continue");
  assertMatch(registers!, /^hart 0 \w+ in M mode at 0x8000\w+ <\w+/);
  assertMatch(registers!, /\nra +0x000000008000\w+ +s1 /);
  assertMatch(registers!, /sp = __stack_top-?|sp = __bss_end/);
  assertMatch(csrs!, /^mtvec +0x\w+ +<trap_entry> MODE=direct$/m);
  assertMatch(csrs!, /^misa /m);
  assertEquals(csrs!.includes("mhpmcounter"), false);
  assertMatch(some!, /^mstatus .*\nmtvec .*\n$/);
  assertEquals(none, "mbogus: no CSR has this name\n");
});

Deno.test("monitor: devices, and a virtio device with its queues", async () => {
  const { machine, names } = await echo(75_000);
  const { said: [list, one, ring, other, wrong, far] } = await converse(machine, names, [
    "devices",
    "dev virtio0",
    "queue 0 0",
    "queue 1",
    "dev uart",
    "queue 0 7",
  ]);
  assertMatch(list!, /^uart +0x10000000\.\.0x100000ff +irq 10 +UART 16550$/m);
  assertMatch(
    list!,
    /^virtio0 .*console, version 2, ACKNOWLEDGE\|DRIVER\|DRIVER_OK\|FEATURES_OK, 2 of 2 queues set up$/m,
  );
  assertMatch(list!, /^virtio3 .*empty slot$/m);
  assertStringIncludes(one!, "status      0x0f ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK");
  assertMatch(one!, /negotiated .*F_INDIRECT_DESC F_EVENT_IDX F_VERSION_1/);
  assertMatch(one!, /queue 1 {5}transmitq: split, 128 entries, \d in flight; table 0x8/);
  assertMatch(ring!, /available: flags 0, idx 8, used_event 0; the device takes \d next, \d waiting/);
  assertMatch(ring!, / 7 waits: head 7\n +─ \[7\] device writes 64 bytes at 0x8000\w+ {2}WRITE\n/);
  assertMatch(ring!, / used: flags 0, idx 0, avail_event 0\n$/);
  assertEquals(other, "virtio1 queue 0, requestq: not set up\n");
  assertEquals(wrong, "uart: expected a virtio device; those are virtio0, virtio1, virtio2\n");
  assertEquals(far, "7: virtio0 has queues 0 to 1\n");
});

Deno.test("monitor: a packed virtqueue", async () => {
  const { machine, names } = await echo(100_000, ["console,packed=on"]);
  const { said: [one, receive, transmit] } = await converse(machine, names, ["dev 0", "ring 0", "ring 0 1"]);
  assertMatch(one!, /queue 0 {5}receiveq: packed, 128 entries, 1 in flight; ring 0x8\w+, driver events 0x8/);
  assertMatch(receive!, /the device takes 1 next \(wrap 1\), and puts the next used one at 0\n/);
  assertMatch(
    receive!,
    / {4}\[0\] device writes 64 bytes at 0x8\w+ {2}WRITE {2}ID 0 {2}AVAIL 1 USED 0\n {2}> \[1\] device writes/,
  );
  assertMatch(
    transmit!,
    /the device takes 3 next .*\n.*\n {4}\[0\] .* AVAIL 1 USED 1\n[^]* {2}> \[3\] not written yet\n$/,
  );
});

Deno.test("monitor: memory and instructions, by numbers, registers and symbols", async () => {
  const { machine, names } = await echo(75_000);
  const { said } = await converse(machine, names, [
    "m 0x80000000 20",
    "disassemble _start 3",
    "d main+4-4 1",
    "m 0x10000000",
    "m 0x50000000",
    "m mian",
    "m p:0x80000000 4",
    "m",
    "m sp 1e9",
  ]);
  assertMatch(said[0]!, /^0000000080000000 ( [0-9a-f]{2}){8} ( [0-9a-f]{2}){8} {2}\|.{16}\|\n0000000080000010 /);
  assertMatch(said[1]!, /^ {2}0000000080000000 {2}_start {18} {2}[0-9a-f]+ +li +t0, -1\n/);
  assertMatch(said[2]!, /^. 0000000080\w+ {2}main /);
  assertEquals(said[3], "physical 0x10000000 is no memory (uart); devices are not read, as that can change them\n");
  assertMatch(said[4]!, /nothing is there: between flash and ram/);
  assertMatch(said[5]!, /^mian: expected an address: .*; did you mean main\?\n$/);
  assertEquals(said[6]!.slice(18, 29), said[0]!.slice(18, 29));
  assertEquals(said[7], "usage: memory ADDRESS [BYTES]\n");
  assertEquals(said[8], "1e9: expected a number from 1 to 65536\n");
});

Deno.test("monitor: an address goes through the hart's page tables, and p: does not", async () => {
  // One gigapage: 0x40000000 is 0x80000000.
  const { machine, names } = await program(`
    li t0, 0x200000cf; li t1, 0x80004008; sd t0, 0(t1)
    li t0, 0x8000000000080004; csrw satp, t0
    li t0, 0x1f; csrw pmpcfg0, t0; li t0, -1; csrw pmpaddr0, t0
    li t0, 0x800; csrw mstatus, t0; la t0, there; li t1, 0x40000000; sub t0, t0, t1; csrw mepc, t0; mret
    there: j .
  `);
  await machine.run({ steps: 200 });
  const { said: [mapped, physical, nothing] } = await converse(machine, names, [
    "m 0x40000000 4",
    "m p:0x80000000 4",
    "m 0x80000000 4",
  ]);
  assertEquals(machine.harts[0]!.privilege, 1);
  assertEquals(mapped!.slice(18, 29), physical!.slice(18, 29));
  assertEquals(nothing, "0x80000000: nothing is mapped there\n");
});

Deno.test("monitor: a step shows what it did, and an empty line repeats it", async () => {
  const { machine, names } = await program("li a0, 1; li a1, 2; li a2, 3; li a3, 4; j .");
  const { said: [one, again, two] } = await converse(machine, names, ["step", "", "s 2"]);
  assertMatch(one!, /\n +\d+ M +80000000 +00100513 +li +a0, 1 +a0=0x1\n> 0000000080000004 +00200593 +li +a1, 2\n$/);
  assertMatch(again!, /80000004 +00200593 +li +a1, 2/);
  assertMatch(two!, /li +a2, 3[^]*li +a3, 4[^]*> 0000000080000010 .* j /);
  assertEquals(machine.clock.steps, 10);
});

Deno.test("monitor: a step that ends the run ends the monitor", async () => {
  const { machine, names } = await program("li t0, 0x100000; li t1, 0x5555; sw t1, 0(t0)");
  const { end, said } = await converse(machine, names, ["s 10", "r"]);
  assertEquals(typeof end === "object" && end.reason, "pass");
  assertEquals(said.length, 1);
});

Deno.test("monitor: a step where nothing can happen says so", async () => {
  const { machine, names } = await program("wfi; j .");
  await machine.run({ steps: 7 });
  const { said: [text] } = await converse(machine, names, ["s"]);
  assertMatch(text!, /^every hart waits for an interrupt, and none is due/);
});

Deno.test("monitor: another hart, why, interrupts", async () => {
  const { machine, names } = await program("csrr a0, mhartid; j .", 2);
  await machine.run({ steps: 20_000 });
  const { said: [hart, registers, wrong, why, irq] } = await converse(machine, names, [
    "hart 1",
    "r",
    "h 2",
    "w",
    "irq",
  ]);
  assertMatch(hart!, /^hart 1 runs in M mode at 0x80000004/);
  assertMatch(registers!, /a0 +0x0000000000000001/);
  assertEquals(wrong, "2: expected a hart, 0 to 1\n");
  assertMatch(why!, /^20000 instructions\nhart 0 runs.*\nhart 1 runs/);
  assertMatch(irq!, /^clint: mtime \d+\n {2}hart 0: mtimecmp \d+\n[^]*plic: pending none\n {2}hart 0 M: enabled none/);
});

Deno.test("monitor: traces begin and end", async () => {
  const { machine, names } = await program("loop: addi a0, a0, 1; j loop");
  const sink = new MemorySink();
  const { said } = await converse(
    machine,
    names,
    ["trace on file", "s 3", "trace off", "s 2", "trace", "t maybe"],
    sink,
  );
  assertEquals(said[0], "instructions are traced to file; trace off ends it\n");
  assertEquals(sink.text().split("\n").filter((line) => /addi|j /.test(line)).length, 3);
  assertEquals(said[2], "nothing is traced any more\n");
  assertEquals(said[4], "trace: expected on, devices or off\n");
  assertEquals(said[5], "maybe: expected on, devices or off\n");
});

Deno.test("monitor: help names every command, and what is none is told with the nearest", async () => {
  const { machine, names } = await program("j .");
  const { said: [help, wrong, far, many, quit], end } = await converse(machine, names, [
    "help",
    "registres",
    "frobnicate",
    "why not",
    "q",
  ]);
  for (const { name } of monitorCommands) assertMatch(help!, new RegExp(`^${name}\\b`, "m"));
  assertEquals(wrong, "registres is no command; did you mean registers?\n");
  assertEquals(far, "frobnicate is no command; help lists them\n");
  assertEquals(many, "usage: why\n");
  assertEquals(quit, "");
  assertEquals(end, "quit");
});

Deno.test("monitor: no command has the name or short name of another", () => {
  const words = monitorCommands.flatMap(({ name, short }) => [name, ...short]);
  assertEquals(new Set(words).size, words.length);
});

Deno.test("monitor: docs/MONITOR.md has every command", async () => {
  const text = await Deno.readTextFile(new URL("../../docs/MONITOR.md", import.meta.url));
  for (const { name } of monitorCommands) assertMatch(text, new RegExp(`^\\|.*\`${name}\\b`, "m"));
});

Deno.test("monitor: a ring that the guest has made up does not keep it", async () => {
  const { machine } = await echo(75_000);
  const slot = machine.slots[0];
  assert(slot instanceof VirtioMmio);
  const { desc, driver, device } = slot.core.queues[0]!.state!;
  // Every descriptor names itself, one has an indirect table without end, and the indices are anywhere.
  for (let i = 0; i < 128; i++) {
    machine.memory.write(desc + 16 * i + 8, 4, 0xffff_ffff);
    machine.memory.write(desc + 16 * i + 12, 4, i << 16 | (i % 2 === 0 ? 1 : 4));
  }
  for (const [at, value] of [[driver + 2, 0xffff], [device + 2, 0x7777], [driver + 4 + 2 * 126, 0xffff]] as const) {
    machine.memory.write(at, 2, value);
  }
  const lines = queueLines(slot, 0);
  assert(lines.length > 8 && lines.length < 600, `${lines.length} lines`);
});

/** Says that it is there, sends back what is typed, and ends at a full stop; for as long as that takes. */
const ECHO = `
  li s0, 0x10000000
  li a0, '!'
  put: sb a0, 0(s0)
  get: lbu t0, 5(s0)
  andi t0, t0, 1
  beqz t0, get
  lbu a0, 0(s0)
  li t0, '.'
  bne a0, t0, put
  li t0, 0x100000
  li t1, 0x5555
  sw t1, 0(t0)
`;

Deno.test({
  name: "monitor: on a real terminal, Ctrl-A c opens it, the keys are its, and the guest goes on",
  ignore: !canTryPty(), // needs util-linux's script and stty
  async fn() {
    using folder = new CommandFolder();
    const image = folder.file(folder.program("echo.bin", ECHO));
    const main = new URL("../../vm/main.ts", import.meta.url).pathname;
    const shown = await onPty(`${Deno.execPath()} run -A ${main} ${image}; echo "status $?"; stty -a`, [
      ["!", "\x01c"],
      ["monitor> ", "regs\r"],
      ["monitor> ", "one\x03"],
      ["^C\r\nmonitor> ", "s 3\r"],
      ["monitor> ", "c\rtyped ahead"],
      ["typed ahead", ", and to the guest."],
    ]);
    assertMatch(shown, /^!/);
    assertMatch(shown, /The machine stands still/);
    assertMatch(shown, /s0 +0x0000000010000000/);
    assertMatch(shown, /monitor> one\^C\r\nmonitor> s 3\r\n#/);
    assertMatch(shown, /monitor> c\r\ntyped ahead, and to the gueststatus 0/);
    assert(/\sicanon\s/.test(shown), shown);
  },
});
