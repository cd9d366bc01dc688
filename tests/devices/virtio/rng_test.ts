import { assert, assertEquals, assertNotEquals } from "@std/assert";
import { Prng } from "../../../devices/virtio/prng.ts";
import { VirtioRng } from "../../../devices/virtio/rng.ts";
import { TestDriver } from "../../support/virtio_driver.ts";

const VERSIONS = [1, 2] as const;

function bytes(device: VirtioRng, length: number, version: 1 | 2 = 2): Uint8Array {
  const d = new TestDriver(device, { version });
  const queue = d.bringUp();
  const addr = d.board.alloc(length);
  queue.post([{ addr, length, write: true }]);
  d.wait();
  assertEquals(queue.collect(), [{ id: 0, length }]);
  assertEquals(d.board.violations, []);
  return d.board.get(addr, length);
}

for (const version of VERSIONS) {
  Deno.test(`version ${version}: the buffer is filled, the same for the same seed (§5.4.6)`, () => {
    const a = bytes(new VirtioRng({ seed: 1 }), 64, version);
    assertEquals(bytes(new VirtioRng({ seed: 1 }), 64, version), a);
    assertNotEquals(bytes(new VirtioRng({ seed: 2 }), 64, version), a);
    assertNotEquals(bytes(new VirtioRng(), 64, version), a);
    assert(new Set(a).size > 40);
  });

  Deno.test(`version ${version}: nothing is written before the request is due`, () => {
    const d = new TestDriver(new VirtioRng(), { version });
    const queue = d.bringUp();
    const addr = d.board.alloc(16);
    queue.post([{ addr, length: 16, write: true }]);
    d.wait(9_000);
    assertEquals(d.board.get(addr, 16), new Uint8Array(16));
    assertEquals(queue.usedIdx, 0);
    d.wait(1_000);
    assertEquals(queue.usedIdx, 1);
  });
}

Deno.test("a host source is used as it is", () => {
  assertEquals(bytes(new VirtioRng({ source: (target) => target.fill(7) }), 10), new Uint8Array(10).fill(7));
});

Deno.test("the sequence goes on over a device reset and starts again at a system reset", () => {
  const d = new TestDriver(new VirtioRng({ seed: 5 }));
  const draw = (): Uint8Array => {
    const queue = d.bringUp();
    const addr = d.board.alloc(16);
    queue.post([{ addr, length: 16, write: true }]);
    d.wait();
    return d.board.get(addr, 16);
  };
  const first = draw();
  assertNotEquals(draw(), first);
  d.slot.reset();
  assertEquals(draw(), first);
});

Deno.test("a huge buffer gets at least one byte and says how many (§5.4.6.2)", () => {
  const d = new TestDriver(new VirtioRng());
  const queue = d.bringUp();
  const addr = d.board.alloc(1 << 20);
  queue.post([{ addr, length: 40_000, write: true }, { addr: addr + 100_000, length: 400_000, write: true }]);
  d.wait();
  assertEquals(queue.collect(), [{ id: 0, length: 65536 }]);
  assert(d.board.get(addr + 100_000 + 65536 - 40_000, 64).every((byte) => byte === 0));
});

Deno.test("device-readable buffers are told and given back (§5.4.6.1)", () => {
  const d = new TestDriver(new VirtioRng());
  const queue = d.bringUp();
  queue.post([{ addr: d.board.alloc(16), length: 16 }]);
  d.wait();
  assertEquals(d.board.violations, ["rng-direction"]);
  assertEquals(queue.collect(), [{ id: 0, length: 0 }]);
});

Deno.test("there is no configuration space and no feature of its own (§5.4.3, §5.4.4)", () => {
  const d = new TestDriver(new VirtioRng());
  assertEquals(d.offered().filter((bit) => bit < 24), []);
  assertEquals(d.readConfig(0, 4), 0);
  assertEquals(d.board.violations, ["config-undefined"]);
});

Deno.test("generator: xorshift128 with its published constants, any seed", () => {
  // Marsaglia's recurrence, computed here with BigInt.
  const reference = (state: bigint[]): bigint => {
    const [x, y, z, w] = state as [bigint, bigint, bigint, bigint];
    const t = (x ^ (x << 11n)) & 0xffff_ffffn;
    const next = w ^ (w >> 19n) ^ t ^ (t >> 8n);
    state.splice(0, 4, y, z, w, next);
    return next;
  };
  for (const seed of [0, 1, 0xffff_ffff]) {
    const state: bigint[] = [];
    let x = BigInt(seed);
    for (let i = 0; i < 4; i++) state.push(x = (x * 1664525n + 1013904223n) & 0xffff_ffffn);
    const prng = new Prng(seed);
    for (let i = 0; i < 100; i++) assertEquals(BigInt(prng.next()), reference(state));
  }
});
