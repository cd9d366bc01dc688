/** Drivers that break and keep the rules on rings and requests. */
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../devices/virtio/console.ts";
import { VirtioDummy } from "../../devices/virtio/dummy.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import { type CheckRig, LIVE } from "../support/check_rig.ts";
import { INDIRECT_DESC, RAM } from "../support/virtio_driver.ts";
import type { RuleCase } from "./rule_case.ts";

const NEXT = 1;
const INDIRECT = 4;

interface Desc {
  readonly addr?: number;
  readonly length?: number;
  readonly flags?: number;
  readonly next?: number;
}

/** A driver that fills descriptors 0, 1, … by hand and makes the first one available. */
function chain(...descriptors: Desc[]): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE);
    descriptors.forEach((desc, i) => rig.queue.setDescriptor({ addr: RAM, length: 4, flags: 0, next: 0, ...desc }, i));
    rig.queue.publish(0);
    rig.queue.notify();
  };
}

/** A driver of INDIRECT_DESC with one table of its own; `outer` is the descriptor that refers to it. */
function table(outer: Desc, ...descriptors: Desc[]): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE.replace("W020=0", `W020=${(2 ** INDIRECT_DESC).toString(16)}`));
    const length = 16 * descriptors.length;
    const addr = rig.d.board.alloc(length);
    descriptors.forEach((desc, i) =>
      rig.queue.setDescriptor({ addr: RAM, length: 4, flags: 0, next: 0, ...desc }, i, addr)
    );
    rig.queue.setDescriptor({ addr, length, flags: INDIRECT, next: 0, ...outer }, 0);
    rig.queue.publish(0);
    rig.queue.notify();
  };
}

/** `count` descriptors of `length` bytes, one after the other. */
function many(count: number, length: number): Desc[] {
  return Array.from({ length: count }, (_, i) => ({ length, flags: i < count - 1 ? NEXT : 0, next: i + 1 }));
}

/** A driver that makes these heads available, each of one buffer. */
function heads(...list: number[]): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE);
    for (let i = 0; i < 8; i++) rig.queue.setDescriptor({ addr: RAM, length: 4, flags: 0, next: 0 }, i);
    for (const head of list) rig.queue.publish(head);
    rig.queue.notify();
  };
}

const one = heads(0);
const good = table({}, { flags: NEXT, next: 1 }, {});

const disk = () => ({ device: new VirtioBlk({ backend: new MemoryDisk(64 * 512) }) });
const serial = () => ({
  device: new VirtioConsole({ port: { write: () => {}, read: () => new Uint8Array(0), onReadable: () => {} } }),
});

/** A request to a disk that offers what it offers, with FLUSH accepted. */
function request(
  type: number,
  sector: number,
  data: readonly [length: number, write: boolean][],
  parts: { readonly header?: number; readonly status?: boolean; readonly features?: string } = {},
): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE.replace("W020=0", `W020=${parts.features ?? "200"}`));
    const header = new Uint8Array(parts.header ?? 16);
    const view = new DataView(header.buffer);
    view.setUint32(0, type, true);
    if (header.length >= 16) view.setUint32(8, sector, true);
    const status = parts.status === false ? [] : [rig.part(1, true)];
    const body = data.map(([length, write]) => rig.part(length, write));
    const all = [rig.part(header.length, false, header), ...body, ...status];
    rig.post(...all.filter((p) => !p.write), ...all.filter((p) => p.write));
    rig.d.wait();
  };
}

const read = request(0, 0, [[512, true]]);
const flush = request(4, 0, []);

/** A buffer of one direction to queue 0. */
function buffer(write: boolean): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE).post(rig.part(16, write));
    rig.d.wait();
  };
}

const ports = () => ({
  device: new VirtioConsole({
    port: { write: () => {}, read: () => new Uint8Array(0), onReadable: () => {} },
    features: { multiport: true },
  }),
});

/** A control message `event` of port 0 to a console with MULTIPORT, after DEVICE_READY and the answer to it. */
function control(event: number, length = 8): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE.replace("W020=0", "W020=2").replace("W030=0", "W030=3"));
    const send = (bytes: number[]): void => {
      rig.queue.publish(rig.queue.lay([rig.part(length, false, Uint8Array.from(bytes).subarray(0, length))]));
      rig.play("W050=3").d.wait();
    };
    send([0, 0, 0, 0, 0, 0, 1, 0]);
    if (event !== 0) send([0, 0, 0, 0, event, 0, 1, 0]);
  };
}

/** By the rule's name. */
export const ringCases: Readonly<Record<string, RuleCase>> = {
  "avail-idx-jump": {
    broken: (rig) => {
      rig.play(LIVE).d.board.memory.write(rig.queue.avail + 2, 2, 20);
      rig.queue.notify();
    },
    kept: one,
  },
  "avail-head-range": { broken: heads(8), kept: heads(7) },
  "avail-head-in-flight": { broken: heads(0, 0), kept: heads(0, 1) },
  "avail-overcommitted": {
    broken: (rig) => {
      rig.play(LIVE);
      for (let i = 0; i < 8; i++) rig.queue.setDescriptor({ addr: RAM, length: 4, flags: 0, next: 0 }, i);
      for (const head of [0, 1, 2, 3, 4, 5, 6, 7]) rig.queue.publish(head);
      rig.queue.notify();
      rig.queue.publish(0);
      rig.queue.notify();
    },
    found: ["avail-head-in-flight", "avail-overcommitted"],
    kept: heads(0, 1, 2, 3, 4, 5, 6, 7),
  },
  "descriptor-loop": { broken: chain({ flags: NEXT, next: 0 }), kept: chain({ flags: NEXT, next: 1 }, {}) },
  "descriptor-next-range": {
    broken: chain({ flags: NEXT, next: 8 }),
    kept: chain({ flags: NEXT, next: 7 }, ...many(7, 4)),
  },
  "descriptor-address": { broken: chain({ addr: 0x4000 }), kept: one },
  "descriptor-flags": { broken: chain({ flags: 8 }), kept: one },
  "descriptor-order": { broken: chain({ flags: 3, next: 1 }, {}), kept: chain({ flags: NEXT, next: 1 }, { flags: 2 }) },
  "descriptor-empty": { broken: chain({ length: 0 }), kept: one },
  "chain-length": { broken: table({}, ...many(1024, 8 << 20)), kept: one },
  "indirect-not-negotiated": {
    broken: chain({ addr: RAM + 0x800, length: 16, flags: INDIRECT }),
    found: ["indirect-not-negotiated", "descriptor-empty"],
    kept: good,
  },
  "indirect-nested": { broken: table({}, { flags: INDIRECT, length: 16 }), kept: good },
  "indirect-next": { broken: table({ flags: INDIRECT | NEXT, next: 1 }, {}), kept: good },
  "indirect-length": { broken: table({ length: 24 }, {}, {}), kept: good },
  "indirect-chain-length": { broken: table({}, ...many(9, 4)), kept: table({}, ...many(8, 4)) },

  "blk-header": { slot: disk, broken: request(0, 0, [], { header: 8 }), kept: read },
  "blk-status": { slot: disk, broken: request(0, 0, [], { status: false }), kept: read },
  "blk-direction": { slot: disk, broken: request(0, 0, [[512, false]]), kept: read },
  "blk-type": { slot: disk, broken: request(0x5eed, 0, []), kept: read },
  "blk-type-feature": { slot: disk, broken: request(4, 0, [], { features: "0" }), kept: flush },
  "blk-data-length": { slot: disk, broken: request(0, 0, [[100, true]]), kept: read },
  "blk-range": { slot: disk, broken: request(0, 64, [[512, true]]), kept: request(0, 63, [[512, true]]) },
  "blk-read-only": {
    slot: () => ({ device: new VirtioBlk({ backend: new MemoryDisk(64 * 512, { readOnly: true }) }) }),
    broken: request(1, 0, [[512, false]], { features: "20" }),
    kept: request(0, 0, [[512, true]], { features: "20" }),
  },
  "blk-read-only-declined": {
    slot: () => ({ device: new VirtioBlk({ backend: new MemoryDisk(64 * 512, { readOnly: true }) }) }),
    broken: LIVE,
    kept: LIVE.replace("W020=0", "W020=20"),
  },
  "blk-flush-sector": { slot: disk, broken: request(4, 5, []), kept: flush },
  "blk-flush-data": { slot: disk, broken: request(4, 0, [[512, true]]), kept: flush },
  "blk-writeback-value": {
    slot: disk,
    broken: `${LIVE.replace("W020=0", "W020=800")} W120:1=2`,
    kept: `${LIVE.replace("W020=0", "W020=800")} W120:1=1`,
  },
  "console-direction": { slot: serial, broken: buffer(false), kept: buffer(true) },
  "console-control": { slot: ports, broken: control(4), kept: control(3) },
  "console-control-port": {
    slot: ports,
    broken: (rig) => {
      rig.play(LIVE.replace("W020=0", "W020=2").replace("W030=0", "W030=3"));
      rig.queue.publish(rig.queue.lay([rig.part(8, false, Uint8Array.of(7, 0, 0, 0, 6, 0, 1, 0))]));
      rig.play("W050=3").d.wait();
    },
    kept: control(6),
  },
  "rng-direction": { slot: () => ({ device: new VirtioRng() }), broken: buffer(false), kept: buffer(true) },
  "dummy-direction": {
    slot: () => ({ device: new VirtioDummy({ intervalUs: 1 }) }),
    broken: buffer(false),
    kept: buffer(true),
  },
};
