/** Device suspend (virtio 1.4 §3.4): what is begun is finished, then nothing happens until the driver resumes. */
import { assert, assertEquals } from "@std/assert";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../../devices/virtio/console.ts";
import { VirtioDummy } from "../../../devices/virtio/dummy.ts";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { VirtioRng } from "../../../devices/virtio/rng.ts";
import { TestPort } from "../../support/char_port.ts";
import { PackedDriverQueue, RING_PACKED } from "../../support/packed_driver.ts";
import { type DriverQueue, TestDriver } from "../../support/virtio_driver.ts";
import { holdingDriver } from "../../support/virtio_device.ts";
import type { VirtioDevice } from "../../../devices/virtio/device.ts";

const SUSPEND = 43;
const { DRIVER_OK, SUSPEND: S, DEVICE_NEEDS_RESET } = virtioStatus;
const LIVE = 0xf;
const ASKED = LIVE | S;
const SUSPENDED = LIVE & ~DRIVER_OK | S;

function driver(device: VirtioDevice, packed: boolean): TestDriver {
  return new TestDriver(device, { switches: { suspend: true, ...(packed && { packed }) } });
}

function queue(d: TestDriver, packed: boolean, index = 0): DriverQueue | PackedDriverQueue {
  return packed ? new PackedDriverQueue(d, index, 8) : d.setupQueue(index);
}

for (const packed of [false, true]) {
  const name = packed ? "packed" : "split";
  const bits = packed ? [SUSPEND, RING_PACKED] : [SUSPEND];

  Deno.test(`${name}: a device that is idle suspends at once, and resumes (§3.4.2)`, () => {
    const d = driver(new VirtioRng(), packed);
    d.negotiate(bits);
    const q = queue(d, packed);
    d.driverOk();
    d.write("Status", ASKED);
    assertEquals(d.read("Status"), SUSPENDED);
    d.wait();
    d.write("Status", ASKED);
    assertEquals(d.read("Status"), LIVE);
    q.post([{ addr: d.board.alloc(8), length: 8, write: true }]);
    d.wait();
    assertEquals(q.collect().length, 1);
    assertEquals(d.board.violations, []);
  });

  Deno.test(`${name}: what is in the works is used first, and the driver notified of it`, () => {
    const d = driver(new VirtioBlk({ backend: new MemoryDisk(64 * 512) }), packed);
    d.negotiate(bits);
    const q = queue(d, packed);
    d.driverOk();
    const read = (): void => {
      const header = new Uint8Array(16);
      header[0] = VirtioBlkT.IN;
      q.post([
        { addr: d.board.put(header), length: 16 },
        { addr: d.board.alloc(512), length: 512, write: true },
        { addr: d.board.alloc(1), length: 1, write: true },
      ]);
    };
    read();
    read();
    d.write("Status", ASKED);
    assertEquals(d.read("Status"), LIVE, "not before it is done");
    d.wait();
    assertEquals(d.read("Status"), SUSPENDED);
    assertEquals([q.collect().length, d.read("InterruptStatus")], [2, 1]);
    assertEquals(d.board.violations, []);
    // A driver that does not stop is told, and served after the resume.
    read();
    d.wait(100_000);
    assertEquals([q.collect().length, d.board.violations], [0, ["suspend-notify"]]);
    d.write("Status", SUSPENDED | DRIVER_OK);
    d.wait();
    assertEquals(q.collect().length, 1);
  });

  Deno.test(`${name}: input that comes while a console is suspended waits, as does the driver's buffer`, () => {
    const port = new TestPort();
    const d = driver(new VirtioConsole({ port }), packed);
    d.negotiate(bits);
    const [rx] = [queue(d, packed, 0), queue(d, packed, 1)];
    d.driverOk();
    rx.post([{ addr: d.board.alloc(16), length: 16, write: true }]);
    d.wait();
    // A buffer that waits for input is not being worked on.
    d.write("Status", ASKED);
    assertEquals(d.read("Status"), SUSPENDED);
    d.write("InterruptACK", 3);
    port.type("while asleep");
    d.wait(1_000_000);
    assertEquals([rx.collect().length, d.read("InterruptStatus"), port.waiting], [0, 0, 12]);
    d.write("Status", ASKED);
    d.wait();
    assertEquals([rx.collect().length, d.read("InterruptStatus")], [1, 1]);
  });

  Deno.test(`${name}: a device that works by a timer stops, and goes on`, () => {
    const d = driver(new VirtioDummy({ intervalUs: 10, limit: Infinity }), packed);
    d.negotiate(bits);
    const q = queue(d, packed);
    d.driverOk();
    for (let i = 0; i < 4; i++) q.post([{ addr: d.board.alloc(16), length: 16, write: true }]);
    d.wait(15_000);
    assertEquals(q.collect().length, 1);
    d.write("Status", ASKED);
    d.wait(15_000);
    assertEquals(d.read("Status"), SUSPENDED);
    const before = q.collect().length;
    d.wait(1_000_000);
    assertEquals(q.collect().length, 0);
    d.write("Status", ASKED);
    d.wait(1_000_000);
    assertEquals(1 + before + q.collect().length, 4);
  });
}

Deno.test("the configuration stands still while the device is suspended; the driver hears of changes afterwards", () => {
  const console = new VirtioConsole({ port: new TestPort(), cols: 80, rows: 25 });
  const d = driver(console, false);
  d.negotiate([SUSPEND, 0]);
  d.driverOk();
  d.write("Status", ASKED);
  const generation = d.read("ConfigGeneration");
  console.resize(132, 43);
  d.wait();
  assertEquals([d.readConfig(0, 2), d.readConfig(2, 2), d.read("ConfigGeneration")], [80, 25, generation]);
  assertEquals(d.read("InterruptStatus"), 0);
  d.write("Status", ASKED);
  assertEquals(d.read("InterruptStatus"), 2);
  assertEquals([d.readConfig(0, 2), d.readConfig(2, 2)], [132, 43]);
  assert(d.read("ConfigGeneration") !== generation);
  assertEquals(d.board.violations, []);
});

Deno.test("writes to the configuration are ignored while the device is suspended, but for an emergency", () => {
  const disk = driver(new VirtioBlk({ backend: new MemoryDisk(512) }), false);
  disk.negotiate([SUSPEND, 9, 11]);
  disk.driverOk();
  disk.write("Status", ASKED);
  disk.writeConfig(32, 1, 0);
  disk.write("Status", ASKED);
  assertEquals(disk.readConfig(32, 1), 1);
  assertEquals(disk.board.violations, ["suspend-config"]);
  const port = new TestPort();
  const serial = driver(new VirtioConsole({ port }), false);
  serial.negotiate([SUSPEND]);
  serial.driverOk();
  serial.write("Status", ASKED);
  serial.writeConfig(8, 4, 0x21);
  assertEquals([port.output, serial.board.violations], ["!", []]);
});

Deno.test("SUSPEND is ignored before the device is initialised, and without the feature", () => {
  const d = driver(new VirtioRng(), false);
  d.negotiate([SUSPEND]);
  d.write("Status", 0xb | S);
  assertEquals(d.read("Status"), 0xb);
  d.driverOk();
  assertEquals(d.read("Status"), LIVE);
  const without = driver(new VirtioRng(), false);
  without.negotiate([]);
  without.driverOk();
  without.write("Status", ASKED);
  assertEquals(without.read("Status"), LIVE);
  assertEquals([d.board.violations, without.board.violations], [["suspend-early"], ["suspend-not-negotiated"]]);
  const legacy = new TestDriver(new VirtioRng(), { version: 1 });
  legacy.negotiate([]);
  legacy.driverOk();
  legacy.write("Status", 7 | S);
  assertEquals(legacy.read("Status"), 7);
});

Deno.test("a device that breaks while it finishes shows DEVICE_NEEDS_RESET, not SUSPEND", () => {
  const { d, device } = holdingDriver({ switches: { suspend: true } });
  d.negotiate([SUSPEND]);
  d.setupQueue(0);
  d.driverOk();
  device.transport.complete(0, () => device.transport.fail("blk-status", "on purpose"));
  d.write("Status", ASKED);
  d.wait();
  assertEquals(d.read("Status"), LIVE | DEVICE_NEEDS_RESET);
  d.write("Status", 0);
  assertEquals(d.read("Status"), 0);
});

Deno.test("a device that waits to be suspended does not wait for what is gone with its queue", () => {
  const { d, device } = holdingDriver({ switches: { suspend: true } });
  d.negotiate([SUSPEND]);
  d.setupQueue(0);
  d.driverOk();
  device.transport.complete(0, () => {});
  d.write("Status", ASKED);
  assertEquals(d.read("Status"), LIVE);
  d.write("QueueSel", 0);
  d.write("QueueReady", 0);
  assertEquals(d.read("Status"), SUSPENDED);
});

Deno.test("what is put off by a suspension is dropped with its queue, though there is another by then (§4.2.2.1)", () => {
  const { d, device } = holdingDriver({ switches: { suspend: true } });
  d.negotiate([SUSPEND]);
  d.setupQueue(0);
  d.driverOk();
  d.write("Status", ASKED);
  let done = 0;
  device.transport.complete(0, () => done++);
  d.write("QueueReady", 0);
  d.setupQueue(0);
  device.transport.complete(0, () => done += 10);
  d.write("Status", LIVE);
  d.wait();
  assertEquals(done, 10);
});

Deno.test("a device that breaks while it is suspended tells when it is resumed (§2.1.2)", () => {
  const { d } = holdingDriver({ switches: { suspend: true } });
  d.negotiate([SUSPEND]);
  d.driverOk();
  d.write("Status", ASKED);
  d.slot.core.needsReset("on purpose");
  assertEquals([d.read("Status"), d.read("InterruptStatus")], [SUSPENDED | DEVICE_NEEDS_RESET, 0]);
  d.write("Status", LIVE);
  assertEquals([d.read("Status"), d.read("InterruptStatus")], [LIVE | DEVICE_NEEDS_RESET, 2]);
});

Deno.test("a reset ends a suspension, and what was put off with it", () => {
  const port = new TestPort();
  const d = driver(new VirtioConsole({ port }), false);
  d.negotiate([SUSPEND]);
  const rx = d.setupQueue(0);
  d.driverOk();
  rx.post([{ addr: d.board.alloc(16), length: 16, write: true }]);
  d.write("Status", ASKED);
  d.wait();
  port.type("x");
  d.write("Status", 0);
  assertEquals(d.read("Status"), 0);
  d.wait(100_000);
  assertEquals([rx.usedIdx, d.read("InterruptStatus")], [0, 0]);
  d.negotiate([SUSPEND]);
  const next = d.setupQueue(0);
  d.driverOk();
  next.post([{ addr: d.board.alloc(16), length: 16, write: true }]);
  d.wait();
  assertEquals(next.collect(), [{ id: 0, length: 1 }]);
});

Deno.test("status facts tell a suspension and a resume as they show", () => {
  const { d } = holdingDriver({ switches: { suspend: true } });
  d.negotiate([SUSPEND]);
  d.driverOk();
  const from = d.board.of("virtio").length;
  d.write("Status", ASKED);
  d.write("Status", ASKED);
  const steps = d.board.of("virtio").slice(from).flatMap((fact) =>
    fact.step === "status" ? [[fact.from, fact.to]] : []
  );
  assertEquals(steps.filter(([a, b]) => a !== b), [[LIVE, SUSPENDED], [SUSPENDED, LIVE]]);
});
