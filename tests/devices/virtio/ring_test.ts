/** VIRTIO_F_IN_ORDER, in both formats. */
import { assert, assertEquals } from "@std/assert";
import { VirtioBlk, VirtioBlkS, VirtioBlkT } from "../../../devices/virtio/blk.ts";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { bringUpPacked, EVENTS, IN_ORDER } from "../../support/packed_driver.ts";
import { Random } from "../../support/random.ts";
import { HoldingDevice } from "../../support/virtio_device.ts";
import { EVENT_IDX, INDIRECT_DESC, type Part, TestDriver } from "../../support/virtio_driver.ts";

const SWITCHES = { packed: true, in_order: true };

function holding(): { d: TestDriver; device: HoldingDevice } {
  const device = new HoldingDevice();
  return { d: new TestDriver(device, { switches: SWITCHES }), device };
}

Deno.test("IN_ORDER is offered only where it is switched on (§6.2)", () => {
  assert(holding().d.offered().includes(IN_ORDER));
  assert(!new TestDriver(new HoldingDevice()).offered().includes(IN_ORDER));
});

Deno.test("IN_ORDER, split: what is done early waits; a batch has one element, and idx counts all of it (§2.7.9)", () => {
  const { d, device } = holding();
  const queue = d.bringUp([IN_ORDER]);
  const part = (length: number): Part => ({ addr: d.board.alloc(length), length, write: true });
  const heads = [4, 5, 6, 7].map((length) => queue.post([part(length)]));
  const [a, b, c, e] = device.held as [typeof device.held[0], ...typeof device.held];
  const q = device.transport.queue(0);
  q.push(c!, 6);
  q.push(b!, 5);
  assertEquals([queue.usedIdx, q.inFlight, d.read("InterruptStatus")], [0, 4, 0]);
  // The first is used in part: it has to be told of. The other two were used completely: the last stands for both.
  q.push(a, 1);
  const element = (position: number) =>
    [0, 4].map((offset) => d.board.memory.read(queue.used + 4 + 8 * position + offset, 4));
  assertEquals(queue.usedIdx, 3);
  assertEquals(element(0), [heads[0], 1]);
  assertEquals(element(1), [heads[2], 6]);
  assertEquals(element(2), [0, 0], "skipped");
  assertEquals(q.inFlight, 1);
  q.push(e!, 7);
  assertEquals([queue.usedIdx, ...element(3)], [4, heads[3], 7]);
  const used = d.board.of("virtqueue").filter((fact) => fact.step === "used");
  assertEquals(used.map(({ position, buffers }) => [position, buffers]), [[0, undefined], [1, 2], [3, undefined]]);
  assertEquals(d.board.violations, []);
});

Deno.test("IN_ORDER, split: used_event anywhere in a batch notifies (§2.7.7.2)", () => {
  for (const [event, sent] of [[0, 1], [1, 1], [2, 1], [3, 0], [0xffff, 0]] as const) {
    const { d, device } = holding();
    const queue = d.bringUp([IN_ORDER, EVENT_IDX]);
    for (let i = 0; i < 3; i++) queue.post([{ addr: d.board.alloc(1), length: 1 }]);
    queue.usedEvent = event;
    device.held.reverse();
    for (let i = 0; i < 3; i++) device.use();
    assertEquals([queue.usedIdx, d.read("InterruptStatus")], [3, sent], `${event}`);
  }
});

Deno.test("IN_ORDER, split: descriptors out of sequence are told and followed (§2.7.5.2, §2.7.5.3.1)", () => {
  const { d, device } = holding();
  const queue = d.bringUp([IN_ORDER, INDIRECT_DESC]);
  const at = { addr: d.board.alloc(2), length: 2 };
  queue.setDescriptor({ ...at, flags: 1, next: 0 }, 7);
  queue.setDescriptor({ ...at, flags: 1, next: 1 }, 0);
  queue.setDescriptor({ ...at, flags: 0, next: 0 }, 1);
  queue.publish(7);
  queue.notify();
  assertEquals(d.board.violations, [], "the last descriptor goes on with the first");
  queue.setDescriptor({ ...at, flags: 1, next: 4 }, 2);
  queue.setDescriptor({ ...at, flags: 0, next: 0 }, 4);
  queue.publish(2);
  queue.notify();
  assertEquals(d.board.violations, ["in-order-next"]);
  assertEquals(device.held.map((chain) => chain.readableLength), [6, 4]);
});

Deno.test("IN_ORDER, packed: a batch has one used descriptor with the last ID, and skips its entries (§2.8.8)", () => {
  const { d, device } = holding();
  const queue = bringUpPacked(d, [IN_ORDER, EVENT_IDX], 7);
  const parts = (n: number): Part[] =>
    Array.from({ length: n }, () => ({ addr: d.board.alloc(2), length: 2, write: true }));
  for (let round = 0; round < 6; round++) {
    const ids = [1, 2, 3].map((n) => queue.post(parts(n)));
    const [a, b, c] = device.held.splice(0);
    const q = device.transport.queue(0);
    queue.setEvent(EVENTS.DESC, (queue.nextUsed + 5) % 7, queue.nextUsed + 5 < 7 ? queue.usedWrap : queue.usedWrap ^ 1);
    q.push(c!, 6);
    q.push(b!, 4);
    assert(!queue.hasUsed);
    q.push(a!, 2);
    assertEquals(queue.collect(), [{ id: ids[2]!, length: 6 }]);
    assertEquals(queue.inFlight.size, 0);
    assertEquals(d.read("InterruptStatus"), 1);
    d.write("InterruptACK", 1);
  }
  assertEquals(d.board.violations, []);
});

Deno.test("IN_ORDER, packed: random completions reach the driver in the order of its buffers", () => {
  const random = new Random(7);
  const { d, device } = holding();
  const queue = bringUpPacked(d, [IN_ORDER], 11);
  const addr = d.board.alloc(64);
  let posted: number[] = [];
  let batches = 0;
  for (let i = 0; i < 3000; i++) {
    const n = random.between(1, 3);
    if (random.chance(60) && queue.free >= n) {
      posted.push(queue.post(Array.from({ length: n }, () => ({ addr, length: 8, write: true }))));
    } else if (device.held.length > 0) {
      const [chain] = device.held.splice(random.below(device.held.length), 1);
      device.transport.queue(0).push(chain!, random.chance(50) ? chain!.writableLength : 3);
    }
    const used = queue.collect();
    const left = [...queue.inFlight.keys()];
    const done = posted.slice(0, posted.length - left.length);
    assertEquals(posted.slice(done.length), left);
    assertEquals(used.map(({ id }) => id), done.filter((id) => used.some((one) => one.id === id)), "in order");
    if (used.length > 0) assertEquals(used.at(-1)!.id, done.at(-1));
    if (used.length < done.length) batches++;
    posted = left;
    d.board.facts.length = 0;
  }
  assert(batches > 50, `${batches} batches`);
});

Deno.test("IN_ORDER: a long disk request is not overtaken by a short one (§6.2)", () => {
  for (const inOrder of [false, true]) {
    const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(6 << 20) }), { switches: SWITCHES });
    const queue = bringUpPacked(d, inOrder ? [IN_ORDER] : [], 16);
    const header = (type: number): Part => ({
      addr: d.board.put(Uint8Array.of(type, ...new Uint8Array(15))),
      length: 16,
    });
    const status = (): Part => ({ addr: d.board.put(Uint8Array.of(0xff)), length: 1, write: true });
    // More than the device moves at one moment, over the same memory again and again.
    const data: Part[] = Array.from({ length: 10 }, () => ({ addr: 0x8040_0000, length: 1 << 19, write: true }));
    const long = queue.post([header(VirtioBlkT.IN), ...data, status()]);
    const last = status();
    const short = queue.post([header(VirtioBlkT.IN), last]);
    d.wait();
    // The device is done with the short one: only the order keeps it back.
    assertEquals(d.board.get(last.addr, 1)[0], VirtioBlkS.OK);
    assertEquals(queue.collect().map(({ id }) => id), inOrder ? [] : [short]);
    d.wait();
    // The long one was read completely, so with IN_ORDER the short one may stand for both.
    assertEquals(queue.collect().map(({ id }) => id), inOrder ? [short] : [long]);
    assertEquals(queue.inFlight.size, 0);
  }
});
