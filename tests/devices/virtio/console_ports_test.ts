/** Consoles with several ports (virtio 1.2 §5.3.6.2), over both formats of virtqueues and both interfaces. */
import { assertEquals, assertThrows } from "@std/assert";
import { VirtioConsole } from "../../../devices/virtio/console.ts";
import { ConsoleDriver, MULTIPORT } from "../../support/console_driver.ts";
import { TestPort } from "../../support/char_port.ts";
import { TestDriver } from "../../support/virtio_driver.ts";

/** A port that has another end, and a limit. */
class EndPort extends TestPort {
  connected = true;
  full = false;
  readonly opened: boolean[] = [];
  #changed: () => void = () => {};

  onChange(listener: () => void): void {
    this.#changed = listener;
  }

  guestOpened(open: boolean): void {
    this.opened.push(open);
  }

  set(change: { connected?: boolean; full?: boolean }): void {
    Object.assign(this, change);
    this.#changed();
  }
}

interface Rig {
  readonly console: VirtioConsole;
  readonly c: ConsoleDriver;
  readonly d: TestDriver;
  /** Port 0's end, and those of the further ports. */
  readonly port: TestPort;
  readonly log: EndPort;
  readonly agent: EndPort;
}

type Form = { readonly version: 1 | 2; readonly packed: boolean };
const FORMS: readonly Form[] = [
  { version: 1, packed: false },
  { version: 2, packed: false },
  { version: 2, packed: true },
];

/** A console of at most 5 ports, three of them there: the console, `log` without a name, `agent` with one. */
function rig({ version, packed }: Form, options: { resizeOrder?: "columns"; messages?: number } = {}): Rig {
  const [port, log, agent] = [new TestPort(), new EndPort(), new EndPort()];
  const { resizeOrder, messages = 16 } = options;
  const console = new VirtioConsole({
    port,
    cols: 100,
    rows: 30,
    maxPorts: 5,
    ports: [{ port: log }, { port: agent, name: "org.example.agent" }],
    ...(resizeOrder !== undefined && { resizeOrder }),
  });
  const d = new TestDriver(console, { version, switches: packed ? { packed } : {} });
  return { console, c: new ConsoleDriver(d, 12, { packed, messages }), d, port, log, agent };
}

const ALL = [
  "DEVICE_ADD 0 of 0",
  "DEVICE_ADD 0 of 1",
  "DEVICE_ADD 0 of 2",
  "CONSOLE_PORT 1 of 0",
  "PORT_OPEN 1 of 0",
  "RESIZE 0 of 0: 30, 100",
  "PORT_OPEN 1 of 1",
  'PORT_NAME 1 of 2 "org.example.agent"',
  "PORT_OPEN 1 of 2",
];

for (const form of FORMS) {
  const name = `version ${form.version}, ${form.packed ? "packed" : "split"}`;

  Deno.test(`${name}: ports are announced, made ready, named and opened (§5.3.6.2)`, () => {
    const { c, d, agent } = rig(form);
    assertEquals(d.readConfig(4, 4), 5);
    assertEquals(c.heard(), [], "nothing before DEVICE_READY");
    assertEquals(c.ready(), ALL);
    assertEquals(agent.opened, [true]);
    // §5.3.6.2.1: what exists is not added again.
    c.say(0xffff_ffff, "DEVICE_READY", 1);
    assertEquals(c.heard(), []);
    assertEquals(d.board.violations, []);
  });

  Deno.test(`${name}: every port has its own bytes, both ways`, () => {
    const { c, d, port, log, agent } = rig(form);
    c.ready();
    c.send(0, "to the console");
    c.send(1, "to the log");
    c.send(2, "to the agent");
    assertEquals([port.output, log.output, agent.output], ["to the console", "to the log", "to the agent"]);
    for (const id of [0, 1, 2]) c.room(id, 32);
    agent.type("from the agent");
    port.type("keys");
    d.wait();
    assertEquals([0, 1, 2].map((id) => c.received(id)), ["keys", "", "from the agent"]);
    log.type("late");
    d.wait();
    assertEquals(c.received(1), "late");
    assertEquals(d.board.violations, []);
  });

  Deno.test(`${name}: input waits until the guest has opened the port, and stops when it closes it`, () => {
    const { c, d, agent } = rig(form);
    c.say(0, "DEVICE_READY", 1);
    c.heard();
    c.say(2, "PORT_READY", 1);
    c.room(2, 32);
    agent.type("early");
    d.wait(100_000);
    assertEquals(c.received(2), "");
    c.say(2, "PORT_OPEN", 1);
    assertEquals(c.received(2), "early");
    c.room(2, 32);
    c.say(2, "PORT_OPEN", 0);
    agent.type("closed");
    d.wait(100_000);
    assertEquals([c.received(2), agent.waiting], ["", 6]);
    c.say(2, "PORT_OPEN", 1);
    assertEquals(c.received(2), "closed");
    assertEquals(agent.opened, [true, false, true]);
  });

  Deno.test(`${name}: the host's end opens and closes (PORT_OPEN), and what is sent to a closed one is lost`, () => {
    const { c, agent, d } = rig(form);
    c.ready();
    agent.set({ connected: false });
    assertEquals(c.heard(), ["PORT_OPEN 0 of 2"]);
    c.send(2, "lost");
    d.wait();
    assertEquals(c.used(7).length, 1, "the buffer comes back");
    agent.set({ connected: true });
    assertEquals(c.heard(), ["PORT_OPEN 1 of 2"]);
    c.send(2, "kept");
    assertEquals(agent.output, "kept");
    agent.set({ connected: true });
    assertEquals(c.heard(), [], "no news");
  });

  Deno.test(`${name}: a host without room keeps the guest's buffers in its queue`, () => {
    const { c, agent, d } = rig(form);
    c.ready();
    agent.set({ full: true });
    c.send(2, "one");
    c.send(2, "two");
    d.wait(100_000);
    assertEquals([agent.output, c.used(7).length], ["", 0]);
    agent.set({ full: false });
    d.wait();
    assertEquals([agent.output, c.used(7).length], ["onetwo", 2]);
  });

  Deno.test(`${name}: ports are added and removed while the guest runs`, () => {
    const { c, d, console, log } = rig(form);
    c.ready();
    const extra = new EndPort();
    assertEquals(console.addPort({ port: extra, name: "extra", console: true }), 3);
    assertEquals(c.heard(), ["DEVICE_ADD 0 of 3"]);
    c.say(3, "PORT_READY", 1);
    assertEquals(c.heard(), ["CONSOLE_PORT 1 of 3", 'PORT_NAME 1 of 3 "extra"', "PORT_OPEN 1 of 3"]);
    c.send(3, "hello");
    assertEquals(extra.output, "hello");
    assertEquals(console.addPort({ port: new TestPort() }), 4);
    assertThrows(() => console.addPort({ port: new TestPort() }), RangeError, "there are 5 ports");
    // A buffer that waits for input comes back empty.
    c.room(1, 16);
    console.removePort(1);
    assertEquals(c.heard(), ["DEVICE_ADD 0 of 4", "DEVICE_REMOVE 0 of 1"]);
    assertEquals(c.used(4).map(({ length }) => length), [0]);
    assertEquals(log.opened, [true, false]);
    log.type("to nobody");
    c.send(1, "to nobody");
    d.wait();
    assertEquals([log.output, c.used(5).length], ["", 1]);
    assertThrows(() => console.removePort(1), RangeError, "there is no port 1");
    assertEquals(console.addPort({ port: log }), 1, "the lowest free number");
    assertEquals(c.heard(), ["DEVICE_ADD 0 of 1"]);
    assertEquals(console.portIds, [0, 1, 2, 3, 4]);
    assertEquals(d.board.violations, []);
  });

  Deno.test(`${name}: another size is a configuration change and a RESIZE message (§5.3.6)`, () => {
    const { c, d, console } = rig(form);
    c.ready();
    d.write("InterruptACK", 3);
    console.resize(132, 43);
    assertEquals(d.read("InterruptStatus"), 2);
    assertEquals([d.readConfig(0, 2), d.readConfig(2, 2)], [132, 43]);
    assertEquals(c.heard(), ["RESIZE 0 of 0: 43, 132"]);
  });
}

const MODERN: Form = { version: 2, packed: false };

Deno.test("a RESIZE message in the order of the text, if asked for (§5.3.6.2)", () => {
  const { c } = rig(MODERN, { resizeOrder: "columns" });
  assertEquals(c.ready().filter((text) => text.startsWith("RESIZE")), ["RESIZE 0 of 0: 100, 30"]);
});

Deno.test("without MULTIPORT accepted there are port 0 and two queues (§5.3.2)", () => {
  const port = new TestPort();
  const d = new TestDriver(new VirtioConsole({ port, maxPorts: 4 }));
  d.negotiate([]);
  const [rx, tx] = [d.setupQueue(0), d.setupQueue(1)];
  for (const index of [2, 3, 4, 9]) {
    d.write("QueueSel", index);
    assertEquals(d.read("QueueNumMax"), 0);
  }
  d.write("QueueNum", 8);
  d.driverOk();
  tx.post([{ addr: d.board.put("x"), length: 1 }]);
  rx.post([{ addr: d.board.alloc(4), length: 4, write: true }]);
  port.type("y");
  d.wait();
  assertEquals([port.output, rx.collect().length], ["x", 1]);
  assertEquals(d.board.violations, ["queue-unknown"]);
});

Deno.test("news takes the place of what it makes untrue: a driver that reads nothing costs no memory", () => {
  const { c, console, agent } = rig(MODERN, { messages: 0 });
  c.say(0, "DEVICE_READY", 1);
  for (let i = 0; i < 100; i++) {
    console.resize(80 + i, 25);
    agent.set({ connected: i % 2 === 1 });
    // A port that comes and goes before anybody was told of it was never there.
    console.removePort(console.addPort({ port: new TestPort() }));
  }
  for (let i = 0; i < 10; i++) c.bringMessageBuffer();
  assertEquals(c.heard(), ["DEVICE_ADD 0 of 0", "DEVICE_ADD 0 of 1", "DEVICE_ADD 0 of 2"]);
  // A number that was removed and given out again untold, is told in that order.
  console.removePort(1);
  assertEquals(console.addPort({ port: new TestPort() }), 1);
  console.removePort(1);
  assertEquals(console.addPort({ port: new TestPort() }), 1);
  assertEquals(c.heard(), ["DEVICE_REMOVE 0 of 1", "DEVICE_ADD 0 of 1"]);
});

Deno.test("what a driver says wrong is told and harmless", () => {
  const { c, d } = rig(MODERN);
  c.say(1, "PORT_READY", 1);
  c.ready();
  c.say(9, "PORT_OPEN", 1);
  c.say(1, "CONSOLE_PORT", 1);
  c.post(3, [{ addr: d.board.put("short"), length: 5 }]);
  c.post(3, [{ addr: d.board.alloc(8), length: 8, write: true }]);
  d.wait();
  assertEquals(d.board.violations, [
    "console-control-order",
    "console-control-port",
    "console-control",
    "console-control",
    "console-direction",
    "console-control",
  ]);
  assertEquals(c.used(3).length, 2);
});

Deno.test("a port may be written to once DEVICE_READY is sent, be it heeded or not, and not before (§5.3.6.2.2)", () => {
  for (const ready of [true, false]) {
    const { c, d, log } = rig(MODERN);
    if (ready) c.tell(0xffff_ffff, "DEVICE_READY", 1);
    c.send(1, "early");
    assertEquals([log.output, d.board.violations], ["early", ready ? [] : ["console-not-ready"]]);
    // What nobody has heeded is gone with its queue.
    if (ready) d.write("QueueSel", 3);
    if (ready) d.write("QueueReady", 0);
    c.send(1, "later");
    assertEquals(d.board.violations.includes("console-not-ready"), true);
  }
});

Deno.test("a message that a buffer has no room for waits for a longer one", () => {
  const { c, d } = rig(MODERN, { messages: 3 });
  c.say(0, "DEVICE_READY", 1);
  assertEquals(c.heard(), ["DEVICE_ADD 0 of 0", "DEVICE_ADD 0 of 1", "DEVICE_ADD 0 of 2"]);
  const long = rig(MODERN, { messages: 0 });
  long.c.bringMessageBuffer(4);
  long.c.bringMessageBuffer(8);
  long.c.say(0, "DEVICE_READY", 1);
  assertEquals(long.c.heard(), ["DEVICE_ADD 0 of 0"]);
  assertEquals(long.d.board.violations, ["console-control"]);
  assertEquals(d.board.violations, []);
});

Deno.test("a reset forgets the driver, and the next one hears everything again", () => {
  const { c, d, agent } = rig(MODERN);
  c.ready();
  c.room(2, 16);
  d.write("Status", 0);
  assertEquals(agent.opened, [true, false]);
  agent.type("for the next");
  const next = new ConsoleDriver(d, 12);
  assertEquals(next.ready(), ALL);
  next.room(2, 16);
  assertEquals(next.received(2), "for the next");
});

Deno.test("a console is refused more ports than it has room for", () => {
  const port = new TestPort();
  assertThrows(() => new VirtioConsole({ port, maxPorts: 32 }), RangeError, "expected 1..31");
  assertThrows(() => new VirtioConsole({ port, maxPorts: 1, ports: [{ port }] }), RangeError, "expected 2..31");
  assertThrows(() => new VirtioConsole({ port, maxPorts: 2, features: { multiport: false } }), RangeError, "multiport");
  const single = new TestDriver(new VirtioConsole({ port, features: { size: false, emerg_write: false } }));
  assertEquals(single.offered().filter((bit) => bit < 24), []);
  const many = new TestDriver(new VirtioConsole({ port, features: { multiport: true } }));
  assertEquals(many.offered().includes(MULTIPORT), true);
});
