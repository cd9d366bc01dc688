/**
 * Records what images execute on QEMU and on Spike, into `tests/hart/recorded/`; see the README there.
 *
 * ```sh
 * deno run -A tests/hart/record_image_traces.ts         # with QEMU, and with Spike where SPIKE names it
 * deno run -A tests/hart/record_image_traces.ts FOLDER  # also all lines, as FOLDER/IMAGE.txt
 * ```
 *
 * @module
 */
import { cells, decodeFdt, encodeFdt } from "../../vm/boot/fdt.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { Machine } from "../../vm/machine.ts";
import { TestPort } from "../support/char_port.ts";
import {
  BLOCK,
  blockHashes,
  FIRST,
  imageBytes,
  type Recording,
  sha256,
  symbolAddress,
} from "../support/image_trace.ts";
import { toolVersion } from "../support/tools.ts";

const MEMORY = 16 << 20;
/** Where to put whole recordings, to see what is different where a hash is. */
const LINES = Deno.args[0];
const RECORDED = new URL("recorded/", import.meta.url);

/** Images whose instructions do not depend on how fast a device is, and the line before which a recording ends. */
const ON_QEMU: readonly { readonly image: string; readonly until?: RegExp }[] = [
  { image: "uart_hello" },
  { image: "plic" },
  // QEMU 7.2 calls a misaligned AMO a misaligned load, and the image goes another way from there.
  { image: "traps", until: /^trap 4 / },
];
/** Kernels that compute and touch no device. */
const ON_SPIKE = (
  "copy_sort crc_state interpreter list_matrix muldiv_hash recursion sieve string_search"
).split(" ").map((name) => ({ image: `bench_${name}` }));
/** Lines of a kernel. */
const KERNEL_LINES = 20 * BLOCK;

/**
 * The tree that an image is handed: the machine's, with a place for the seed that QEMU would otherwise put in, so that
 * everything else stays where it is. No image looks at the seed itself.
 */
function deviceTree(xlen: 32 | 64): Uint8Array<ArrayBuffer> {
  const isa = parseIsa(`rv${xlen}imac`);
  const machine = new Machine({ isa, memorySize: MEMORY, uart: new TestPort(), slots: [] });
  const root = decodeFdt(machine.deviceTree());
  const seed = cells("rng-seed", ...new Array<number>(8).fill(0));
  const children = root.children.map((node) =>
    node.name === "chosen" ? { ...node, properties: [...node.properties, seed] } : node
  );
  return packed(encodeFdt({ ...root, children }));
}

/** A blob without what may follow its strings: QEMU hands it on so. */
function packed(blob: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const header = new DataView(blob.buffer);
  // Offset and size of the strings, which come last (devicetree 0.4 §5.2).
  const end = header.getUint32(12) + header.getUint32(32);
  header.setUint32(4, end);
  return blob.slice(0, end);
}

/** Where Spike has the tree: behind the instructions in its ROM. */
const SPIKE_TREE = 0x1020;

/** The lines that a stream is made of. */
async function* linesOf(stream: ReadableStream<Uint8Array<ArrayBuffer>>): AsyncGenerator<string> {
  let rest = "";
  for await (const text of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    yield* lines;
  }
}

/** What QEMU says before each instruction, as `states`. */
export class QemuStates {
  readonly lines: string[] = [];
  /** The instruction whose effect is not known yet, and the trap that was taken after it. */
  #head: string | undefined = undefined;
  #trap: string | undefined = undefined;
  /** The instruction that the state being read comes before. */
  #next = "";
  #before: string[] = new Array<string>(32).fill("0");
  #registers: string[] = [];

  line(text: string): void {
    const trace = /^Trace \d+: \S+ \[\w+\/(\w+)\/(\w+)\//.exec(text);
    if (trace !== null) {
      this.#next = `${plain(trace[1]!)} ${Number.parseInt(trace[2]!, 16) & 3}`;
      this.#registers = [];
      return;
    }
    // What came in between, an interrupt perhaps, is looked at first; then the instruction is announced again.
    if (text.startsWith("Stopped execution of TB chain before")) this.#head = undefined;
    const trap = /^riscv_cpu_do_interrupt: .*async:(\d), cause:(\w+), epc:0x(\w+),/.exec(text);
    if (trap !== null) {
      const what = `${trap[1] === "1" ? "interrupt" : "trap"} ${plain(trap[2]!)} ${plain(trap[3]!)}`;
      if (trap[1] === "0" && this.#head?.startsWith(`${plain(trap[3]!)} `)) {
        // The instruction that trapped gets no line.
        this.#head = undefined;
        this.lines.push(what);
      } else {
        // The one announced last was done: an interrupt came after it, or the one after it could not be fetched.
        this.#trap = what;
      }
      return;
    }
    for (const [, number, value] of text.matchAll(/ x(\d+)\/\w+\s+([0-9a-f]+)/g)) {
      this.#registers[Number(number)] = plain(value!);
    }
    if (this.#registers.length === 32) this.#state();
  }

  /** The state before `next` is complete: the effect of the instruction before it. */
  #state(): void {
    const after = this.#registers;
    if (this.#head !== undefined) {
      const changed = after.flatMap((value, i) => value === this.#before[i] ? [] : [` x${i}=${value}`]);
      this.lines.push(this.#head + changed.join(""));
    }
    if (this.#trap !== undefined) this.lines.push(this.#trap);
    this.#trap = undefined;
    this.#head = this.#next;
    this.#before = after;
    this.#registers = [];
  }
}

function plain(digits: string): string {
  return digits.replace(/^0+(?=.)/, "");
}

async function qemuLines(image: string, xlen: 32 | 64, tree: string): Promise<string[]> {
  const child = new Deno.Command(`qemu-system-riscv${xlen}`, {
    args: [
      ...["-M", "virt", "-m", `${MEMORY >> 20}M`, "-bios", "none", "-display", "none", "-monitor", "none"],
      ...["-serial", "null", "-no-reboot", "-dtb", tree, "-kernel", `images/${image}.elf`],
      ...["-singlestep", "-d", "exec,cpu,int,nochain"],
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const states = new QemuStates();
  for await (const line of linesOf(child.stderr)) states.line(line);
  const { success } = await child.status;
  if (!success) throw new Error(`${image}: QEMU ended with a failure: it must pass there to be recorded`);
  return states.lines;
}

async function spikeLines(spike: string, image: string, xlen: 32 | 64, tree: string, from: bigint): Promise<string[]> {
  const child = new Deno.Command(spike, {
    args: [
      ...[`--isa=rv${xlen}imac_zicntr`, `-m0x80000000:0x${MEMORY.toString(16)}`, `--dtb=${tree}`, "--log-commits"],
      ...["--log=/dev/stderr", "--instructions=3000000", `images/${image}.elf`],
    ],
    cwd: new URL("../../", import.meta.url),
    stdin: "null",
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const lines: string[] = [];
  const first = `0x${from.toString(16).padStart(xlen / 4, "0")} (`;
  for await (const line of linesOf(child.stderr)) {
    if (lines.length === 0 && !line.includes(first)) continue;
    lines.push(line);
    if (lines.length === KERNEL_LINES) break;
  }
  child.kill();
  await child.status;
  return lines;
}

/** What an image did on QEMU from its first instruction on, and where the device tree was. */
async function onQemu(image: string, xlen: 32 | 64, tree: string, until: RegExp | undefined) {
  const all = await qemuLines(image, xlen, tree);
  const start = symbolAddress(image, "_start").toString(16);
  const end = until === undefined ? -1 : all.findIndex((line) => until.test(line));
  return {
    tool: await toolVersion(`qemu-system-riscv${xlen}`) ?? "",
    kind: "states" as const,
    from: "_start",
    treeAt: treeAddress(all),
    ended: end < 0,
    lines: all.slice(all.findIndex((line) => line.startsWith(`${start} `)), end < 0 ? all.length : end),
  };
}

/** What a kernel did on Spike. */
async function onSpike(spike: string, image: string, xlen: 32 | 64, tree: string) {
  const from = "bench_run";
  const lines = await spikeLines(spike, image, xlen, tree, symbolAddress(image, from));
  return { tool: await spikeVersion(spike), kind: "commits" as const, from, treeAt: SPIKE_TREE, ended: false, lines };
}

async function record(image: string, xlen: 32 | 64, spike: string | undefined, until?: RegExp): Promise<void> {
  const tree = deviceTree(xlen);
  const file = await Deno.makeTempFile({ suffix: ".dtb" });
  try {
    await Deno.writeFile(file, tree);
    const { lines, ...found } = spike === undefined
      ? await onQemu(image, xlen, file, until)
      : await onSpike(spike, image, xlen, file);
    const recording: Recording = {
      image,
      sha256: await sha256(imageBytes(image)),
      xlen,
      memory: MEMORY,
      deviceTree: tree.toBase64(),
      ...found,
      count: lines.length,
      first: lines.slice(0, FIRST),
      blocks: await blockHashes(lines),
    };
    await Deno.writeTextFile(new URL(`${image}.json`, RECORDED), `${JSON.stringify(recording, undefined, 2)}\n`);
    if (LINES !== undefined) await Deno.writeTextFile(`${LINES}/${image}.txt`, lines.map((l) => `${l}\n`).join(""));
    console.log(`${image}: ${lines.length} lines from ${recording.tool}`);
  } finally {
    await Deno.remove(file);
  }
}

/** What the reset vector put into a1. */
function treeAddress(lines: readonly string[]): number {
  const found = lines.slice(0, 6).map((line) => / x11=(\w+)/.exec(line)?.[1]).find((value) => value !== undefined);
  if (found === undefined) {
    throw new Error("QEMU: expected a reset vector that loads a1 with the device tree's address");
  }
  return Number.parseInt(found, 16);
}

async function spikeVersion(spike: string): Promise<string> {
  const { stderr, stdout } = await new Deno.Command(spike, { args: ["--help"] }).output();
  const text = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  return text.split("\n")[0] ?? "";
}

if (import.meta.main) {
  await Deno.mkdir(RECORDED, { recursive: true });
  for (const { image, until } of ON_QEMU) {
    await record(image, 64, undefined, until);
    await record(`${image}_rv32`, 32, undefined, until);
  }
  const spike = Deno.env.get("SPIKE") || undefined;
  for (const { image } of spike === undefined ? [] : ON_SPIKE) {
    await record(image, 64, spike);
    await record(`${image}_rv32`, 32, spike);
  }
}
