import { assert, assertEquals } from "@std/assert";
import { VirtioConsole } from "../../../devices/virtio/console.ts";
import { featureBit } from "../../../devices/virtio/feature_set.ts";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { TestPort } from "../../support/char_port.ts";
import { PackedDriverQueue, RING_PACKED } from "../../support/packed_driver.ts";
import { type DriverQueue, INDIRECT_DESC, type Part, TestDriver } from "../../support/virtio_driver.ts";

const VERSIONS = [1, 2] as const;
const SIZE = featureBit(3, "VIRTIO_CONSOLE_F_SIZE");
const EMERG_WRITE = featureBit(3, "VIRTIO_CONSOLE_F_EMERG_WRITE");

interface Rig {
  readonly d: TestDriver;
  readonly device: VirtioConsole;
  readonly port: TestPort;
  readonly rx: DriverQueue;
  readonly tx: DriverQueue;
}

function rig(version: 1 | 2 = 2): Rig {
  const port = new TestPort();
  const device = new VirtioConsole({ port, cols: 132, rows: 43 });
  const d = new TestDriver(device, { version });
  d.negotiate([SIZE, EMERG_WRITE]);
  const [rx, tx] = [d.setupQueue(0), d.setupQueue(1)];
  d.driverOk();
  return { d, device, port, rx, tx };
}

function text({ d }: Rig, string: string): Part {
  return { addr: d.board.put(string), length: string.length };
}

function room({ d }: Rig, length: number): Part {
  return { addr: d.board.alloc(length), length, write: true };
}

function shown({ d }: Rig, part: Part, length = part.length): string {
  return new TextDecoder().decode(d.board.get(part.addr, length));
}

for (const version of VERSIONS) {
  Deno.test(`version ${version}: output leaves at the notification, the buffer is used later (§5.3.6)`, () => {
    const r = rig(version);
    const head = r.tx.post([text(r, "hello, "), text(r, "world")]);
    assertEquals(r.port.output, "hello, world");
    assertEquals(r.tx.usedIdx, 0);
    r.d.wait();
    assertEquals(r.tx.collect(), [{ id: head, length: 0 }]);
    assertEquals(r.d.board.violations, []);
  });

  Deno.test(`version ${version}: input fills receive buffers in order, what does not fit waits`, () => {
    const r = rig(version);
    r.port.type("abcdefgh");
    r.d.wait();
    assertEquals(r.port.waiting, 8, "no buffer, nothing taken");
    const first = room(r, 3);
    const second = room(r, 10);
    const heads = [r.rx.post([first]), r.rx.post([second])];
    assertEquals(r.rx.usedIdx, 0);
    r.d.wait();
    assertEquals(r.rx.collect(), [{ id: heads[0]!, length: 3 }]);
    r.d.wait();
    assertEquals(r.rx.collect(), [{ id: heads[1]!, length: 5 }]);
    assertEquals(shown(r, first) + shown(r, second, 5), "abcdefgh");
    assertEquals(r.port.waiting, 0);
    assertEquals(r.d.board.violations, []);
  });

  Deno.test(`version ${version}: a buffer waits for input, and input interrupts`, () => {
    const r = rig(version);
    const part = room(r, 16);
    r.rx.post([part]);
    r.d.wait(100_000);
    assertEquals(r.rx.usedIdx, 0);
    assertEquals(r.d.board.irqLevel, false);
    r.port.type("x");
    r.port.type("y");
    assertEquals(r.rx.usedIdx, 0);
    r.d.wait();
    assertEquals(r.rx.collect(), [{ id: 0, length: 2 }]);
    assertEquals(r.d.read("InterruptStatus"), 1);
    assertEquals(shown(r, part, 2), "xy");
  });

  Deno.test(`version ${version}: input typed while the device is reset reaches the next driver`, () => {
    const r = rig(version);
    r.rx.post([room(r, 16)]);
    r.port.type("lost?");
    r.d.write("Status", 0);
    r.d.wait();
    assertEquals(r.rx.usedIdx, 0);
    assertEquals(r.port.waiting, 5);
    r.port.type("!");
    r.d.negotiate();
    const rx = r.d.setupQueue(0);
    r.d.setupQueue(1);
    r.d.driverOk();
    const part = room(r, 16);
    rx.post([part]);
    r.d.wait();
    assertEquals(rx.collect(), [{ id: 0, length: 6 }]);
    assertEquals(shown(r, part, 6), "lost?!");
  });

  Deno.test(`version ${version}: SIZE is shown and a resize notifies (§5.3.4, §5.3.6)`, () => {
    const { d, device } = rig(version);
    assertEquals([d.readConfig(0, 2), d.readConfig(2, 2)], [132, 43]);
    const generation = version === 2 ? d.read("ConfigGeneration") : 0;
    device.resize(132, 43);
    assertEquals(d.read("InterruptStatus"), 0);
    device.resize(100, 30);
    assertEquals([d.readConfig(0, 2), d.readConfig(2, 2)], [100, 30]);
    assertEquals(d.read("InterruptStatus"), 2);
    if (version === 2) assertEquals(d.read("ConfigGeneration") !== generation, true);
    assertEquals(d.board.violations, []);
  });

  Deno.test(`version ${version}: EMERG_WRITE works without a driver and after one failed (§5.3.5.1)`, () => {
    const port = new TestPort();
    const d = new TestDriver(new VirtioConsole({ port }), { version });
    d.writeConfig(8, 4, 0x1234_5641);
    assertEquals(port.output, "A");
    d.write("Status", virtioStatus.FAILED);
    d.writeConfig(8, 4, 0x42);
    assertEquals(port.output, "AB");
    assertEquals(d.board.violations, []);
    if (version === 1) {
      for (const [i, byte] of [0x43, 0, 0, 0].entries()) d.writeConfig(8 + i, 1, byte);
      assertEquals(port.output, "ABC");
    }
    assertEquals(d.board.of("console").map(({ direction, bytes }) => [direction, bytes.length])[0], ["out", 1]);
  });
}

Deno.test("wrong directions are told and harmless (§5.3.6.1)", () => {
  const r = rig();
  r.tx.post([text(r, "out"), room(r, 4)]);
  assertEquals(r.port.output, "out");
  r.port.type("in");
  r.rx.post([text(r, "readable")]);
  const part = room(r, 4);
  r.rx.post([text(r, "mixed"), part]);
  r.d.wait();
  r.d.wait();
  assertEquals(r.rx.collect().map(({ length }) => length), [0, 2]);
  assertEquals(shown(r, part, 2), "in");
  assertEquals(r.d.board.violations, ["console-direction", "console-direction", "console-direction"]);
});

Deno.test("long output reaches the port in pieces, one per latency", () => {
  const r = rig();
  const length = 200_000;
  const addr = r.d.board.alloc(length);
  r.d.board.memory.bytes(addr, length)!.fill(0x61);
  r.tx.post([{ addr, length }]);
  assertEquals(r.port.output.length, 65536);
  r.d.wait(30_000);
  assertEquals(r.port.output, "a".repeat(length));
  assertEquals(r.tx.usedIdx, 0);
  r.d.wait(10_000);
  assertEquals(r.tx.usedIdx, 1);
});

Deno.test("console bytes are events in both directions", () => {
  const r = rig();
  r.tx.post([text(r, "o")]);
  r.rx.post([room(r, 4)]);
  r.port.type("i");
  r.d.wait(50_000);
  const seen = r.d.board.of("console").map(({ direction, bytes }) => direction + new TextDecoder().decode(bytes));
  assertEquals(seen, ["outo", "ini"]);
});

Deno.test("there is no MULTIPORT: two queues, max_nr_ports is not valid", () => {
  const { d } = rig();
  d.write("QueueSel", 2);
  assertEquals(d.read("QueueNumMax"), 0);
  d.readConfig(4, 4);
  assertEquals(d.board.violations, ["config-feature"]);
});

for (const [name, version, packed] of [["version 1", 1, false], ["split", 2, false], ["packed", 2, true]] as const) {
  Deno.test(`${name}: a console takes and fills buffers of indirect tables`, () => {
    const port = new TestPort();
    const d = new TestDriver(new VirtioConsole({ port }), { version, ...(packed && { switches: { packed } }) });
    d.negotiate(packed ? [INDIRECT_DESC, RING_PACKED] : [INDIRECT_DESC]);
    const [rx, tx] = [0, 1].map((index) => packed ? new PackedDriverQueue(d, index, 4) : d.setupQueue(index, 4));
    d.driverOk();
    for (let i = 0; i < 10; i++) {
      const into = [0, 1].map(() => ({ addr: d.board.alloc(3), length: 3, write: true }));
      const id = rx!.post(into, true);
      port.type(`in ${i} `);
      d.wait();
      assertEquals(rx!.collect(), [{ id, length: 5 }]);
      const bytes = into.flatMap(({ addr }) => [...d.board.get(addr, 3)]).slice(0, 5);
      assertEquals(new TextDecoder().decode(Uint8Array.from(bytes)), `in ${i} `);
      tx!.post(["out ", `${i} `].map((string) => ({ addr: d.board.put(string), length: string.length })), true);
      d.wait();
      assertEquals(tx!.collect().length, 1);
    }
    assertEquals(port.output, Array.from({ length: 10 }, (_, i) => `out ${i} `).join(""));
    const chains = d.board.of("virtqueue").filter((fact) => fact.step === "chain");
    assertEquals(chains.length, 20);
    assert(chains.every(({ descriptors }) => descriptors.filter(({ table }) => table === "indirect").length === 2));
    assertEquals(d.board.violations, []);
  });
}
