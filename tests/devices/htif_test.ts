/** HTIF on whole machines: programs that end, print and read by `tohost` and `fromhost`. */
import { assertEquals } from "@std/assert";
import { readImage } from "../../vm/boot/image.ts";
import type { MachineFact } from "../../vm/events.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { type EngineName, engineNames, Machine } from "../../vm/machine.ts";
import { TestPort } from "../support/char_port.ts";
import { buildElf } from "../support/elf_builder.ts";

const RAM = 0x8000_0000n;
/** Addresses of the words, and of something to print. */
const [TOHOST, FROMHOST, CALL, TEXT] = [0x8000_1000n, 0x8000_1040n, 0x8000_1080n, 0x8000_1100n];

interface Outcome {
  readonly end: string;
  readonly output: string;
  readonly steps: number;
  readonly facts: readonly MachineFact[];
}

interface Options {
  readonly isa?: string;
  readonly harts?: number;
  readonly typed?: string;
  /** What the linker calls the command's word. */
  readonly symbol?: string;
  readonly limit?: number;
}

/** Runs assembly text as an ELF file with the two symbols, where `s0` is tohost and `s1` fromhost. */
async function run(engine: EngineName, text: string, options: Options = {}): Promise<Outcome> {
  const isa = parseIsa(options.isa ?? "rv64imac");
  const program = `li s0, ${TOHOST}; li s1, ${FROMHOST}; ${text}; j .`;
  const data = new Uint8Array(0x1200);
  data.set(new Assembler(isa).program(program, RAM).bytes);
  data.set(new TextEncoder().encode("printed\n"), Number(TEXT - RAM));
  const bytes = buildElf({
    xlen: isa.xlen,
    entry: RAM,
    segments: [{ paddr: RAM, data }],
    symbols: [{ name: options.symbol ?? "tohost", value: TOHOST }, { name: "fromhost", value: FROMHOST }],
  });
  const uart = new TestPort();
  if (options.typed !== undefined) uart.type(options.typed);
  const machine = new Machine({ isa, memorySize: 1 << 20, harts: options.harts ?? 1, engine, uart, slots: [] });
  const facts: MachineFact[] = [];
  for (const kind of ["machine", "violation"] as const) machine.events.on(kind, (fact) => facts.push(fact));
  machine.load(readImage(bytes, { name: "program.elf" }));
  const { reason, code, by } = await machine.run({ steps: options.limit ?? 1_000_000 });
  return { end: `${reason} ${code} ${by}`, output: uart.output, steps: machine.clock.steps, facts };
}

/** A test on every engine; all of them must come to the same end at the same step. */
function onEngines(name: string, text: string, options: Options, check: (outcome: Outcome) => void): void {
  Deno.test(`HTIF: ${name}`, async () => {
    const outcomes: Outcome[] = [];
    for (const engine of engineNames) {
      const outcome = await run(engine, text, options);
      check(outcome);
      outcomes.push(outcome);
    }
    for (const outcome of outcomes) assertEquals(outcome, outcomes[0]);
  });
}

const store = (value: bigint): string => `li t0, ${value}; sd t0, 0(s0)`;
/** Prints a character by the console device, and waits until it is taken. */
const put = (char: string, n: number): string =>
  `${store(0x0101n << 48n | BigInt(char.charCodeAt(0)))}; wait${n}: ld t0, 0(s0); bnez t0, wait${n}`;

onEngines("1 is a pass", store(1n), {}, ({ end, facts }) => {
  assertEquals(end, "pass 0 htif");
  assertEquals(facts, [{ kind: "machine", step: "pass", code: 0 }]);
});

onEngines(
  "an odd number is a failure with its upper bits as the code",
  store(2n * 1234n + 1n),
  {},
  ({ end, facts }) => {
    assertEquals(end, "fail 1234 htif");
    assertEquals(facts, [{ kind: "machine", step: "fail", code: 1234 }]);
  },
);

onEngines("characters are printed, and the word is cleared", [..."Hi!\n"].map(put).join("; ") + "; " + store(1n), {}, (
  { end, output },
) => {
  assertEquals(output, "Hi!\n");
  assertEquals(end, "pass 0 htif");
});

const ECHO = `
  again: ${store(0x0100n << 48n)}
  wait: ld t1, 0(s1); beqz t1, wait; sd zero, 0(s1)
  andi a0, t1, 0xff; srli a1, t1, 8; andi a1, a1, 1; srli a2, t1, 48
  li t2, 0x101; slli t2, t2, 48; or t2, t2, a0; sd t2, 0(s0)
  taken: ld t0, 0(s0); bnez t0, taken
  li t0, 10; bne a0, t0, again
  slli a1, a1, 2; xori a1, a1, 4; xori a2, a2, 0x100; or a1, a1, a2; slli a1, a1, 1; ori a1, a1, 1; sd a1, 0(s0)
`;

onEngines("keys come in fromhost, each once it was asked for and there was room", ECHO, { typed: "typed\n" }, (o) => {
  assertEquals(o.output, "typed\n");
  assertEquals(o.end, "pass 0 htif");
});

onEngines("nobody types: a reader waits for ever", ECHO, { limit: 200_000 }, (o) => {
  assertEquals(o.end, "limit 0 undefined");
});

/** A system call with three arguments; its result in a0. */
const call = (...words: bigint[]): string => `
  li t2, ${CALL}
  ${words.map((word, i) => `li t0, ${word}; sd t0, ${8 * i}(t2)`).join("; ")}
  sd t2, 0(s0); call${words[0]}: ld t0, 0(s1); beqz t0, call${words[0]}; sd zero, 0(s1); ld a0, 0(t2)
`;
const EXIT = "slli a0, a0, 1; ori a0, a0, 1; sd a0, 0(s0)";

onEngines("the system call write prints and returns the length", `${call(64n, 1n, TEXT, 8n)}; ${EXIT}`, {}, (o) => {
  assertEquals(o.output, "printed\n");
  assertEquals(o.end, "fail 8 htif");
});

onEngines("the system call exit ends the run", `${call(93n, 5n)}`, {}, ({ end }) => {
  assertEquals(end, "fail 5 htif");
});

onEngines("other system calls return -ENOSYS and are told", `${call(57n)}; neg a0, a0; ${EXIT}`, {}, (o) => {
  assertEquals(o.end, "fail 38 htif");
  assertEquals(o.facts.map((f) => "what" in f ? f.what : f.kind), [
    "system call 57: HTIF here ends runs, prints and reads keys",
    "machine",
  ]);
});

onEngines("a buffer outside memory is -EFAULT", `${call(64n, 1n, 0x4000_0000n, 8n)}; neg a0, a0; ${EXIT}`, {}, (o) => {
  assertEquals([o.output, o.end], ["", "fail 14 htif"]);
});

for (const [what, value] of [["a device", 2n << 56n], ["an address", 0x4000_0000n]] as const) {
  onEngines(`${what} that is not there is told, and the run goes on`, store(value), { limit: 100_000 }, (o) => {
    assertEquals(o.end, "limit 0 undefined");
    assertEquals(o.facts.map((f) => f.kind), ["violation"]);
  });
}

onEngines(
  "RV32 stores two halves: one alone is no command",
  `
  li t0, 'A'; sw t0, 0(s0)         # alone this would be a failure
  li t1, ${"0x01010000"}; sw t1, 4(s0)
  wait: lw t0, 0(s0); bnez t0, wait; lw t0, 4(s0); bnez t0, wait
  li t0, 1; sw t0, 0(s0); sw zero, 4(s0)
`,
  { isa: "rv32imac" },
  ({ end, output }) => assertEquals([end, output], ["pass 0 htif", "A"]),
);

onEngines(
  "with two harts the one that stores ends the run",
  `csrr t0, mhartid; beqz t0, .; ${store(7n)}`,
  { harts: 2 },
  (
    { end },
  ) => assertEquals(end, "fail 3 htif"),
);

onEngines("a program that waits for nothing stalls as without HTIF", "wfi", {}, ({ end }) => {
  assertEquals(end, "stall 0 undefined");
});

onEngines(
  "without the symbol it is a word like any other",
  store(1n),
  { symbol: "other", limit: 50_000 },
  ({ end }) => {
    assertEquals(end, "limit 0 undefined");
  },
);
