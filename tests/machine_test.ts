/** The machine as a whole, with short programs: how runs end, what a reset resets, and what options are refused. */
import { assertEquals, assertThrows } from "@std/assert";
import {
  type AccessSize,
  Assembler,
  type Device,
  type EngineName,
  engineNames,
  ImageError,
  Machine,
  type MachineOptions,
  parseIsa,
  readImage,
} from "../vm/mod.ts";
import { TestPort } from "./support/char_port.ts";

const isa = parseIsa("rv64imac");

/** A machine with a program of assembly text at the start of RAM. */
function machineWith(text: string, options: Partial<MachineOptions> = {}): { machine: Machine; uart: TestPort } {
  const uart = new TestPort();
  const machine = new Machine({ isa, memorySize: 1 << 20, uart, slots: [], ...options });
  machine.load(readImage(new Assembler(isa).program(text, 0x8000_0000n).bytes, { name: "program" }));
  return { machine, uart };
}

/** Ends the run through the finisher with a value. */
const finish = (value: number): string => `li t0, 0x100000; li t1, ${value}; sw t1, 0(t0)`;

function onEngines(name: string, run: (engine: EngineName) => Promise<void>): void {
  for (const engine of engineNames) Deno.test(`${name} (${engine})`, () => run(engine));
}

onEngines("a run ends as the finisher says, with its code", async (engine) => {
  for (
    const [value, reason, code] of [[0x5555, "pass", 0], [0x7_3333, "fail", 7], [0x7777, "reset", 0]] as const
  ) {
    const { machine } = machineWith(finish(value), { engine });
    const { reason: was, code: with_ } = await machine.run();
    assertEquals([was, with_], [reason, code]);
  }
});

onEngines("a limit ends a run at exactly that step, and the next run goes on from there", async (engine) => {
  const { machine } = machineWith("loop: addi a0, a0, 1; j loop", { engine });
  for (const steps of [1, 2, 1000, 123_457]) {
    assertEquals((await machine.run({ steps })).reason, "limit");
    assertEquals([machine.clock.steps, machine.harts[0]!.steps], [steps, steps]);
  }
  // Six instructions of the reset vector come first; every second one after them counts.
  assertEquals(machine.harts[0]!.x(10), BigInt(Math.ceil((123_457 - 6) / 2)));
});

onEngines("waiting for nothing is a stall; waiting for the timer skips to its deadline", async (engine) => {
  const { machine } = machineWith("wfi; j .", { engine });
  assertEquals((await machine.run()).reason, "stall");
  const timed = machineWith(
    `
    li t0, 0x2004000; li t1, 5000; sd t1, 0(t0)   # mtimecmp
    li t2, 0x80; csrw mie, t2
    wfi
    ${finish(0x5555)}
    `,
    { engine },
  ).machine;
  assertEquals((await timed.run()).reason, "pass");
  assertEquals(Math.floor(timed.clock.now / timed.clock.stepsPerTick), 5000);
});

onEngines("stop ends a run that would go on for ever", async (engine) => {
  const { machine } = machineWith("j .", { engine });
  queueMicrotask(() => machine.stop());
  assertEquals((await machine.run({ steps: 5_000_000 })).reason, "stopped");
});

/** Counts its writes; a reset forgets them. */
class Counter implements Device {
  readonly name = "counter";
  readonly registers = [{ name: "count", offset: 0, size: 4, access: "RW", spec: "this test" }] as const;
  count = 0;
  read(_offset: number, _size: AccessSize): number {
    return this.count;
  }
  write(_offset: number, _size: AccessSize, value: number): number {
    this.count += value;
    return 0;
  }
  reset(): void {
    this.count = 0;
  }
}

onEngines("a reset is power-on: time, harts, memory and every device on the bus", async (engine) => {
  // Prints a letter that it changes in its own memory: without a new image, the second run would print the next one.
  const { machine, uart } = machineWith(
    `
    la t2, letter; lw a0, 0(t2); addi a0, a0, 1; sw a0, 0(t2)
    li t0, 0x10000000; sb a0, 0(t0)
    li t0, 0x20000; li t1, 5; sw t1, 0(t0)
    csrwi mscratch, 7
    ${finish(0x7777)}
    letter: .word 'a'
    `,
    { engine },
  );
  const counter = new Counter();
  machine.bus.attach({ name: "counter", base: 0x2_0000, size: 4 }, counter);
  const hart = machine.harts[0]!;
  const ends: unknown[] = [];
  for (let round = 0; round < 2; round++) {
    assertEquals((await machine.run()).reason, "reset");
    ends.push([machine.clock.steps, hart.x(10), counter.count, hart.csr(0x340)]);
    machine.reset();
    assertEquals([machine.clock.now, hart.steps, hart.pc, counter.count, hart.csr(0x340)], [0, 0, 0x1000n, 0, 0n]);
  }
  assertEquals(ends[1], ends[0]);
  assertEquals(uart.output, "bb");
});

onEngines("records are handed over by the end of a run", async (engine) => {
  const { machine } = machineWith("loop: addi a0, a0, 1; j loop", { engine });
  let records = 0;
  machine.events.onRecords((_view, count) => void (records += count));
  await machine.run({ steps: 777 });
  assertEquals(records, 777);
});

Deno.test("options out of range are refused", () => {
  const base = { isa, memorySize: 1 << 20, uart: new TestPort(), slots: [] };
  for (
    const [options, what] of [
      [{ memorySize: 4095 }, "memory must be a positive multiple of 4096 bytes, got 4095"],
      [{ memorySize: 0 }, "memory must be a positive multiple of 4096 bytes, got 0"],
      [{ harts: 0 }, "harts must be 1 to 8, got 0"],
      [{ harts: 9 }, "harts must be 1 to 8, got 9"],
      [{ slots: new Array(9).fill(undefined) }, "there are 8 virtio slots, got 9"],
    ] as const
  ) {
    assertThrows(() => new Machine({ ...base, ...options }), RangeError, what);
  }
});

Deno.test("an image that does not fit is refused, and nothing is written", async () => {
  const { machine } = machineWith(finish(0x5555));
  const image = readImage(new Uint8Array(2 << 20), { name: "large.bin" });
  assertThrows(() => machine.load(image), ImageError, "large.bin");
  assertEquals((await machine.run()).reason, "pass");
});
