/** Drivers that break and keep the rules on packed rings, order, notification data and segments of disks. */
import { MemoryDisk } from "../../devices/host/memory.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { type CheckRig, LIVE } from "../support/check_rig.ts";
import { INDIRECT, NEXT, PackedDriverQueue } from "../support/packed_driver.ts";
import type { HoldingDevice } from "../support/virtio_device.ts";
import { type Part, RAM } from "../support/virtio_driver.ts";
import type { Driver, RuleCase } from "./rule_case.ts";

/** Accepted words of features: VERSION_1 is bit 0 of word 1. */
const PACKED = "W020=5";
const IN_ORDER = "W020=9";
const NOTIFICATION_DATA = "W020=41";
const RING_RESET = "W020=101";
const EVENT_IDX = 0x2000_0000;
const INDIRECT_DESC = 0x1000_0000;

/** Everything up to DRIVER_OK with features beside VERSION_1; `low` is word 0. */
function accepting(high: string, low = 0): string {
  return LIVE.replace("W024=1 W020=1", `W024=1 ${high}`).replace("W020=0", `W020=${low.toString(16)}`);
}

const offering = (name: string) => () => ({ switches: { [name]: true } });
const packed = offering("packed");
/** A buffer that the device reads. */
export const BUFFER: Part = { addr: RAM, length: 8, write: false };

/** A packed driver that does `more` with its queue. */
export function packedDriver(more: (queue: PackedDriverQueue, rig: CheckRig) => void, low = 0): Driver {
  return (rig) => {
    // Everything before the queue as it must be; the queue by the driver of packed rings.
    rig.play(accepting(PACKED, low).replace(/ W030.*$/, ""));
    rig.play("W030=0 R044 R034");
    const queue = new PackedDriverQueue(rig.d, 0, 8);
    rig.play("W070=f");
    more(queue, rig);
  };
}

/** Has the device give back what it has first. */
export function use(rig: CheckRig): void {
  const { held, transport } = rig.device as HoldingDevice;
  transport.queue(0).push(held[0]!, 0);
}

const one = packedDriver((queue) => void queue.post([BUFFER]));
const table = packedDriver((queue) => void queue.post([BUFFER, BUFFER], true), INDIRECT_DESC);
const disk = () => ({ device: new VirtioBlk({ backend: new MemoryDisk(64 * 512), features: { discard: true } }) });

/** A DISCARD (accepted with FLUSH) of segments of so many sectors with these flags. */
function discard(sectors: number, flags: number): Driver {
  return (rig) => {
    rig.play(LIVE.replace("W020=0", "W020=2200"));
    const header = new Uint8Array(16);
    new DataView(header.buffer).setUint32(0, 11, true);
    const segment = new Uint8Array(16);
    new DataView(segment.buffer).setUint32(8, sectors, true);
    new DataView(segment.buffer).setUint32(12, flags, true);
    rig.post(rig.part(16, false, header), rig.part(16, false, segment), rig.part(1, true));
    rig.d.wait();
  };
}

/** Chains whose second descriptor is `next`. */
function inOrder(next: number): Driver {
  return (rig) => {
    rig.play(accepting(IN_ORDER));
    rig.queue.setDescriptor({ addr: RAM, length: 4, flags: 1, next }, 0);
    rig.queue.setDescriptor({ addr: RAM, length: 4, flags: 0, next: 0 }, next);
    rig.queue.publish(0);
    rig.queue.notify();
  };
}

/** One BUFFER, and a notification that says `value`. */
function told(value: string): Driver {
  return (rig) => {
    rig.play(accepting(NOTIFICATION_DATA));
    rig.queue.setDescriptor({ addr: RAM, length: 4, flags: 0, next: 0 }, 0);
    rig.queue.publish(0);
    rig.play(`W050=${value}`);
  };
}

export const packedCases: Readonly<Record<string, RuleCase>> = {
  "packed-id-in-flight": {
    slot: packed,
    broken: packedDriver((queue) => {
      queue.post([BUFFER]);
      queue.publish([BUFFER], { id: 0 });
      queue.notify();
    }),
    kept: one,
  },
  "packed-list-unavailable": {
    slot: packed,
    broken: packedDriver((queue) => {
      queue.setDescriptor({ addr: RAM, length: 8, id: 0, flags: queue.marks() | NEXT }, 0);
      queue.notify();
    }),
    kept: packedDriver((queue) => void queue.post([BUFFER, BUFFER])),
  },
  "packed-overcommitted": {
    slot: packed,
    broken: packedDriver((queue) => {
      for (let i = 0; i < 7; i++) queue.post([BUFFER]);
      queue.setDescriptor({ addr: RAM, length: 8, id: 9, flags: queue.marks(0) }, 0);
      queue.setDescriptor({ addr: RAM, length: 8, id: 9, flags: queue.marks() | NEXT }, 7);
      queue.notify();
    }),
    kept: packedDriver((queue) => {
      for (let i = 0; i < 8; i++) queue.post([BUFFER]);
    }),
  },
  "packed-indirect-flags": {
    slot: packed,
    broken: packedDriver((queue, rig) => {
      const addr = rig.d.board.alloc(16);
      queue.setDescriptor({ addr: RAM, length: 8, id: 0, flags: queue.marks() }, 0, addr);
      queue.setDescriptor({ addr, length: 16, id: 0, flags: queue.marks() | INDIRECT }, 0);
      queue.notify();
    }, INDIRECT_DESC),
    kept: table,
  },
  "packed-event": {
    slot: packed,
    broken: packedDriver((queue, rig) => {
      queue.setEvent(2, 9, 1);
      queue.post([BUFFER]);
      use(rig);
    }, EVENT_IDX),
    kept: packedDriver((queue, rig) => {
      queue.setEvent(2, 0, 1);
      queue.post([BUFFER]);
      use(rig);
    }, EVENT_IDX),
  },
  "in-order-next": { slot: offering("in_order"), broken: inOrder(3), kept: inOrder(1) },
  "notify-data": { slot: offering("notification_data"), broken: told("50000"), kept: told("10000") },
  "queue-reset-value": {
    slot: offering("ring_reset"),
    broken: `${accepting(RING_RESET)} W0c0=2`,
    kept: `${accepting(RING_RESET)} W0c0=1 R0c0`,
  },
  "blk-segments": { slot: disk, broken: discard(0x7fff_ffff, 0), kept: discard(8, 0) },
  "blk-segment-flags": { slot: disk, broken: discard(8, 1), kept: discard(8, 0) },
};
