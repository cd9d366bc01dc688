/** Drivers that break and keep the rules on rings and requests. */
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../devices/virtio/console.ts";
import { VirtioDummy } from "../../devices/virtio/dummy.ts";
import { VirtioRng } from "../../devices/virtio/rng.ts";
import { type CheckRig, LEGACY_LIVE, LIVE } from "../support/check_rig.ts";
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

/** Control messages as id, event, value. */
type Control = readonly [id: number, event: number, value: number];
const READY: Control = [0, 0, 1];
const PORT_READY: Control = [0, 3, 1];
const PORT_OPEN: Control = [0, 6, 1];

function controlBytes([id, event, value]: Control): Uint8Array {
  return Uint8Array.of(id, 0, 0, 0, event, 0, value, 0);
}

/** Control messages to a console with MULTIPORT, each after the answer to the one before. */
function controls(...messages: Control[]): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE.replace("W020=0", "W020=2").replace("W030=0", "W030=3"));
    for (const message of messages) {
      rig.queue.publish(rig.queue.lay([rig.part(8, false, controlBytes(message))]));
      rig.play("W050=3").d.wait();
    }
  };
}

/** DEVICE_READY to a legacy console without ANY_LAYOUT, in descriptors of so many bytes. */
function legacyControl(...lengths: number[]): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LEGACY_LIVE.replace("W020=0", "W020=2").replace("W030=0", "W030=3"));
    let from = 0;
    const parts = lengths.map((length) => rig.part(length, false, controlBytes(READY).slice(from, from += length)));
    rig.queue.publish(rig.queue.lay(parts));
    rig.play("W050=3").d.wait();
  };
}

/** A read by the legacy interface without ANY_LAYOUT, with the header in buffers of so many bytes. */
function legacyRead(...header: number[]): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LEGACY_LIVE).post(...header.map((length) => rig.part(length)), rig.part(512, true), rig.part(1, true));
    rig.d.wait();
  };
}

/** Two reads with one status byte; `more` is done with that when each has come back. */
function statuses(more: (rig: CheckRig, status: number) => void): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE);
    const status = rig.part(1, true);
    for (let n = 0; n < 2; n++) {
      rig.post(rig.part(16), rig.part(512, true), status);
      rig.d.wait();
      more(rig, status.addr);
    }
  };
}

/** A read in so many segments, of a disk that takes two (SEG_MAX). */
function segments(count: number): (rig: CheckRig) => void {
  return (rig) => {
    rig.play(LIVE.replace("W020=0", "W020=4").replace("W030=0", "R10c W030=0"));
    rig.post(rig.part(16), ...Array.from({ length: count }, () => rig.part(512, true)), rig.part(1, true));
    rig.d.wait();
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
  "descriptor-order": {
    broken: chain({ flags: 3, next: 1 }, {}),
    kept: chain({ flags: NEXT, next: 1 }, { addr: RAM + 64, flags: 2 }),
  },
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
  "blk-status-unread": {
    slot: disk,
    broken: statuses(() => {}),
    kept: statuses((rig, at) => rig.access(false, at, 1)),
  },
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
  "blk-sector": { slot: disk, broken: request(8, 5, [[20, true]]), kept: request(8, 0, [[20, true]]) },
  "blk-limits": {
    slot: () => ({ device: new VirtioBlk({ backend: new MemoryDisk(64 * 512), segMax: 2 }) }),
    broken: segments(3),
    kept: segments(2),
  },
  "blk-legacy-layout": {
    slot: () => ({ ...disk(), version: 1 }),
    broken: legacyRead(8, 8),
    kept: legacyRead(16),
  },
  "blk-flush-data": { slot: disk, broken: request(4, 0, [[512, true]]), kept: flush },
  "blk-writeback-value": {
    slot: disk,
    broken: `${LIVE.replace("W020=0", "W020=800")} W120:1=2`,
    kept: `${LIVE.replace("W020=0", "W020=800")} W120:1=1`,
  },
  "console-direction": { slot: serial, broken: buffer(false), kept: buffer(true) },
  "console-control": { slot: ports, broken: controls(READY, [0, 4, 1]), kept: controls(READY, PORT_READY) },
  "console-control-port": {
    slot: ports,
    broken: controls(READY, [7, 6, 1]),
    kept: controls(READY, PORT_READY, PORT_OPEN),
  },
  "console-control-order": {
    slot: ports,
    broken: controls(READY, PORT_OPEN),
    kept: controls(READY, PORT_READY, PORT_OPEN),
  },
  "console-open-value": {
    slot: ports,
    broken: controls(READY, PORT_READY, [0, 6, 0]),
    kept: controls(READY, PORT_READY, PORT_OPEN, [0, 6, 0]),
  },
  "console-not-ready": {
    slot: ports,
    broken: (rig) => {
      rig.play(LIVE.replace("W020=0", "W020=2").replace("W030=0", "W030=1"));
      rig.queue.publish(rig.queue.lay([rig.part(4)]));
      rig.play("W050=1").d.wait();
    },
    kept: controls(READY),
  },
  "console-legacy-layout": {
    slot: () => ({ ...ports(), version: 1 }),
    broken: legacyControl(4, 4),
    kept: legacyControl(8),
  },
  "rng-direction": { slot: () => ({ device: new VirtioRng() }), broken: buffer(false), kept: buffer(true) },
  "dummy-direction": {
    slot: () => ({ device: new VirtioDummy({ intervalUs: 1 }) }),
    broken: buffer(false),
    kept: buffer(true),
  },
};
