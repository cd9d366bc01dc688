/** Drivers that break and keep the rules on notifications, on what tells of them, and on what is found in the used ring. */
import { type CheckRig, LIVE } from "../support/check_rig.ts";
import { HoldingDevice } from "../support/virtio_device.ts";
import { RAM } from "../support/virtio_driver.ts";
import type { Driver, RuleCase } from "./rule_case.ts";

/** A device that is a disk to who reads DeviceID: what its driver makes available it wants to see at once. */
const disk = () => ({ device: Object.assign(new HoldingDevice(), { id: 2 }) });
const suspends = () => ({ switches: { suspend: true } });
const EVENT_IDX = LIVE.replace("W020=0", "W020=20000000");
const SUSPENDED = `${LIVE.replace("W020=1", "W020=801")} W070=1f R070`;

/** Makes a buffer available as it is right, with a fence. */
function expose(rig: CheckRig): CheckRig {
  const { desc, avail } = rig.queue;
  return rig.access(true, desc, 8, RAM).access(true, avail + 4, 2, 0).access(true, avail + 2, 2, 1, 1);
}

/** A driver that makes a buffer available, and then does `more`. */
function exposing(more: (rig: CheckRig) => void, setUp = LIVE): Driver {
  return (rig) => more(expose(rig.play(setUp)));
}

/** A full fence, and the notification. */
function notify(rig: CheckRig): CheckRig {
  return rig.access(false, RAM + 0x800, 1, 0, 1).play("W050=0");
}

/** A live driver whose device has two buffers. */
function waiting(more: (rig: CheckRig) => void): Driver {
  return (rig) => {
    rig.play(LIVE).post({ addr: RAM, length: 64, write: false }).post({ addr: RAM + 64, length: 64, write: true });
    more(rig);
  };
}

/** A driver of so many requests, one after the other, that does `more` after each. */
function requests(count: number, more: (rig: CheckRig, n: number) => void, setUp = LIVE): Driver {
  return (rig) => {
    rig.play(setUp);
    for (let n = 0; n < count; n++) {
      rig.queue.setDescriptor({ addr: RAM, length: 64, flags: 0, next: 0 }, 0);
      rig.queue.publish(0);
      rig.queue.notify();
      (rig.device as HoldingDevice).use();
      more(rig, n);
    }
  };
}

/** Reads the element of request `n`, as it is right. */
function collect(rig: CheckRig, n: number): CheckRig {
  const { used, size } = rig.queue;
  return rig.access(false, used + 2, 2).access(false, used + 4 + 8 * (n % size), 8, 0, 1);
}

/** Turns interrupts off and on again while the device is at work. */
const off = (rig: CheckRig) => rig.access(true, rig.queue.avail, 2, 1).access(true, rig.queue.avail, 2, 0);
const look = (rig: CheckRig) => rig.access(false, rig.queue.used + 2, 2);

export const notifyCases: Readonly<Record<string, RuleCase>> = {
  "notify-missing": {
    slot: disk,
    broken: exposing((rig) => rig.wait()),
    kept: exposing((rig) => notify(rig).wait()),
  },
  "notify-suppressed": {
    broken: (rig) => {
      rig.play(LIVE).d.board.memory.write(rig.queue.used, 2, 1);
      notify(expose(rig));
    },
    kept: exposing(notify),
  },
  "barrier-suppression": {
    broken: exposing((rig) => rig.access(false, rig.queue.used, 2)),
    kept: exposing((rig) => rig.access(false, rig.queue.used, 2, 0, 1)),
  },
  "suspend-available": {
    slot: suspends,
    broken: exposing(() => {}, SUSPENDED),
    kept: exposing(() => {}, `${SUSPENDED} W070=1f R070`),
  },
  "avail-flags": {
    broken: exposing((rig) => rig.access(true, rig.queue.avail, 2, 2)),
    kept: exposing((rig) => rig.access(true, rig.queue.avail, 2, 1)),
  },
  "used-flags-not-zeroed": { broken: (rig) => (rig.d.board.memory.write(rig.queue.used, 2, 1), void rig.play(LIVE)) },
  "queue-not-zeroed": { broken: (rig) => (rig.d.board.memory.write(rig.queue.used + 2, 2, 3), void rig.play(LIVE)) },
  "used-unread": {
    broken: requests(14, (rig, n) => void (n === 5 || collect(rig, n))),
    kept: requests(20, collect),
  },
  "event-idx-unused": {
    broken: requests(9, collect, EVENT_IDX),
    kept: requests(9, (rig, n) => collect(rig, n).access(true, rig.queue.avail + 20, 2, n + 1), EVENT_IDX),
  },
  "used-recheck": {
    slot: disk,
    broken: waiting((rig) => off(rig).wait()),
    kept: waiting((rig) => look(off(rig)).wait()),
  },
  "interrupt-ack-late": {
    broken: waiting((rig) => look(rig.irq("claimed").play("R060")).play("W064=0").irq("completed").wait()),
    kept: waiting((rig) => look(rig.irq("claimed").play("R060 W064=0")).irq("completed").wait()),
  },
};
