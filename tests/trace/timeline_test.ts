import { assert, assertEquals, assertLess } from "@std/assert";
import { EventStream, Privilege, type VirtqueueEvent } from "../../vm/events.ts";
import { MemorySink } from "../../vm/trace/sink.ts";
import { Timeline } from "../../vm/trace/timeline.ts";
import { rngMachine } from "../support/rng_machine.ts";
import { RNG, rngProgram, store } from "../support/rng_program.ts";
import { bootImage } from "../support/boot_image.ts";

/** A trace event, as far as it is looked at. */
interface TraceEvent {
  readonly ph: string;
  readonly pid: number;
  readonly tid?: number;
  readonly ts?: number;
  readonly dur?: number;
  readonly id?: number;
  readonly cat?: string;
  readonly name?: string;
  // deno-lint-ignore no-explicit-any
  readonly args?: any;
}

/** Spans in the order in which a viewer nests them. */
function byNesting(a: TraceEvent, b: TraceEvent): number {
  return a.ts! - b.ts! || b.dur! - a.dur!;
}

/** Reads a time line, and checks what the format asks of every event. */
function parse(sink: MemorySink): TraceEvent[] {
  const { traceEvents } = JSON.parse(sink.text()) as { traceEvents: TraceEvent[] };
  const named = new Set(traceEvents.filter(({ name }) => name === "thread_name").map((e) => `${e.pid}.${e.tid}`));
  const open = new Map<string, TraceEvent>();
  const depth = new Map<number, number>();
  for (const event of traceEvents) {
    assert("MbeiXBE".includes(event.ph), JSON.stringify(event));
    if (event.ph === "M") continue;
    assert(named.has(`${event.pid}.${event.tid}`), `a track without a name: ${JSON.stringify(event)}`);
    assert(Number.isFinite(event.ts) && event.ts! >= 0, JSON.stringify(event));
    if (event.ph === "X") assert(event.dur! >= 0, JSON.stringify(event));
    if (event.ph === "B") depth.set(event.tid!, (depth.get(event.tid!) ?? 0) + 1);
    if (event.ph === "E") depth.set(event.tid!, depth.get(event.tid!)! - 1);
    assert([...depth.values()].every((d) => d >= 0), "an end without a beginning");
    const key = `${event.cat} ${event.id}`;
    if (event.ph === "b") {
      assert(!open.has(key), `two requests ${key}`);
      open.set(key, event);
    }
    if (event.ph === "e") {
      assert(event.ts! >= open.get(key)!.ts!, `${key} ends before it begins`);
      open.delete(key);
    }
  }
  const ends = new Map<string, number[]>();
  for (const { pid, tid, ts, dur, name } of traceEvents.filter(({ ph }) => ph === "X").toSorted(byNesting)) {
    const around = (ends.get(`${pid}.${tid}`) ?? []).filter((end) => end > ts!);
    assert(around.every((end) => ts! + dur! <= end), `${name} at ${ts} reaches out of the span that it begins in`);
    ends.set(`${pid}.${tid}`, [...around, ts! + dur!]);
  }
  assertEquals(open.size, 0);
  assert([...depth.values()].every((d) => d === 0), "a beginning without an end");
  return traceEvents;
}

Deno.test("a request lasts from the store that exposes it to its completion, and says who wrote its descriptors", async () => {
  const machine = rngMachine(rngProgram("interrupt"));
  const sink = new MemorySink();
  const stores: number[] = [];
  const timeline = new Timeline(sink);
  timeline.attach(machine.events);
  machine.events.watches.on(({ write, addr }, { now }) => {
    if (write && addr === RNG.avail + 2) stores.push(now);
  });
  let used = 0;
  machine.events.on("virtqueue", ({ step }, { now }) => {
    if (step === "used") used = now;
  });
  await machine.run({ steps: 50_000 });
  timeline.end();
  timeline.end();
  const events = parse(sink);
  const [begin, ...others] = events.filter(({ ph }) => ph === "b");
  assertEquals(others, []);
  assertEquals(begin!.ts, stores.at(-1)! / 1000);
  assertEquals(events.find(({ ph }) => ph === "e")!.ts, used / 1000);
  const { descriptors, written } = begin!.args;
  assertEquals([descriptors.length, descriptors[0].length, written], [1, 8, 8]);
  assert(/^0x80000[0-9a-f]+$/.test(descriptors[0].writer), descriptors[0].writer);
  const names = events.map(({ name }) => name);
  for (const name of ["notify", "interrupt", "virtio0: line up", "virtio0: claimed by context 0", "wfi"]) {
    assert(names.includes(name), `${name} is missing`);
  }
  assert(events.some(({ ph, name }) => ph === "B" && name === "machine external interrupt"), names.join());
});

Deno.test("a request that is never completed is shown as unfinished", async () => {
  const machine = rngMachine(rngProgram("poll", { wait: store(RNG.finisher, 0x5555) }));
  const sink = new MemorySink();
  const timeline = new Timeline(sink);
  timeline.attach(machine.events);
  assertEquals((await machine.run({ steps: 50_000 })).reason, "pass");
  timeline.end();
  assertEquals(parse(sink).find(({ ph }) => ph === "b")!.args.unfinished, true);
});

const QUEUE = { kind: "virtqueue", device: "virtio0", queue: 0 } as const;

/** The time line of a queue of four entries of which these things are told, a thousand steps after each other. */
function pictureOf(facts: Iterable<VirtqueueEvent>): TraceEvent[] {
  const events = new EventStream();
  const sink = new MemorySink();
  const timeline = new Timeline(sink);
  let now = 0;
  events.where = () => ({ hart: 0, pc: 0x8000_0000n, privilege: Privilege.M, steps: now, now });
  timeline.attach(events);
  const rings = { desc: 0x8000_0000, driver: 0x8000_1000, device_area: 0x8000_2000 };
  events.emit({ ...QUEUE, step: "configured", format: "split", size: 4, ...rings });
  for (const fact of facts) {
    now += 1000;
    events.emit(fact);
  }
  timeline.end();
  return parse(sink);
}

/** A chain of so many descriptors is taken. */
function chain(head: number, position: number, length = 1): VirtqueueEvent {
  const one = { index: head, table: "ring", addr: 0x8000_3000, length: 8, flags: 2, next: 0 } as const;
  return { ...QUEUE, step: "chain", head, position, descriptors: new Array<typeof one>(length).fill(one) };
}

Deno.test("requests in flight together each last to their own completion, in whatever order that comes", () => {
  const events = pictureOf([
    chain(0, 0),
    chain(3, 1),
    chain(1, 2),
    { ...QUEUE, step: "used", head: 3, written: 8, position: 0 },
    { ...QUEUE, step: "used", head: 0, written: 4, position: 1 },
    { ...QUEUE, step: "used", head: 1, written: 2, position: 2 },
  ]);
  const spans = events.filter(({ ph }) => ph === "b").map(({ id, ts, args }) => {
    const end = events.find((e) => e.ph === "e" && e.id === id)!;
    return [args.head, ts, end.ts, args.written];
  });
  assertEquals(spans, [[3, 2, 4, 8], [0, 1, 5, 4], [1, 3, 6, 2]]);
});

Deno.test("ten thousand requests that are never completed are let go, and long chains are cut", () => {
  const heads = function* () {
    // Buffer ids of packed rings may be any; the second half reuses one that is in flight.
    for (let i = 0; i < 5_000; i++) yield chain(i, i & 0xffff, 1);
    for (let i = 0; i < 5_000; i++) yield chain(7, i & 0xffff, i === 4_999 ? 1000 : 1);
  };
  const requests = pictureOf(heads()).filter(({ ph }) => ph === "b");
  assertEquals(requests.length, 10_000);
  assert(requests.every(({ args }) => args.unfinished));
  // Each ends when its place in the queue is needed, not at the end of the run.
  assertEquals([requests[0]!.args.head, requests[0]!.ts], [0, 1]);
  const { descriptors, unlisted } = requests.at(-1)!.args;
  assertEquals([descriptors.length, unlisted], [64, 936]);
});

Deno.test("a run that is cut off in a handler, or begins anew there, leaves nothing open", async () => {
  const machine = rngMachine(`
    _start: la t0, handler
            csrw mtvec, t0
            la t1, again
            lw t2, 0(t1)
            li t3, 1
            sw t3, 0(t1)
            ecall
    handler: beqz t2, reset
    1:      wfi
            j 1b
    reset:  li t0, ${RNG.finisher}
            li t1, 0x7777
            sw t1, 0(t0)
            j reset
            .align 3
    again:  .word 0
  `);
  const sink = new MemorySink();
  const timeline = new Timeline(sink);
  timeline.attach(machine.events);
  await machine.run({ steps: 1000 });
  timeline.end();
  const events = parse(sink);
  assertEquals(events.filter(({ ph }) => ph === "B").length, events.filter(({ ph }) => ph === "E").length);
  assert(events.some(({ ph }) => ph === "B"), "no trap");
});

for (const image of ["demo.elf", "block.elf"]) {
  Deno.test(`${image}: a whole run is a valid time line, written in pieces`, async () => {
    const sink = new MemorySink();
    let largest = 0;
    const pieces = { write: (bytes: Uint8Array) => (largest = Math.max(largest, bytes.length), sink.write(bytes)) };
    const timeline = new Timeline(pieces);
    await bootImage(image, { engine: "auto", xlen: 64, started: (machine) => timeline.attach(machine.events) });
    timeline.end();
    const requests = parse(sink).filter(({ ph }) => ph === "b");
    assert(requests.length > 3, `${requests.length} requests`);
    assert(requests.some(({ name }) => !name!.startsWith("head")), "no request is named by what it asks");
    assertLess(largest, 1 << 17);
  });
}
