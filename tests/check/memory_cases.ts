/** Drivers that break and keep the rules on memory that the device has; the second half of each is what is watched. */
import { type CheckRig, LIVE } from "../support/check_rig.ts";
import { HoldingDevice } from "../support/virtio_device.ts";
import { RAM } from "../support/virtio_driver.ts";
import type { Driver, RuleCase } from "./rule_case.ts";

/** Two chains of one buffer each are in flight: the device reads 64 bytes at RAM, and writes 64 behind them. */
const OTHER = RAM + 64;
/** Somewhere that nobody has. */
const FREE = RAM + 0x800;

interface Rings {
  readonly rig: CheckRig;
  readonly desc: number;
  readonly avail: number;
  readonly used: number;
}

/** A live driver; with `inFlight` the device has two buffers, with `answered` it has given back the first. */
function live(more: (rings: Rings) => void, inFlight = true, answered = false): Driver {
  return (rig) => {
    rig.play(LIVE);
    const { queue } = rig;
    const rings = { rig, desc: queue.desc, avail: queue.avail, used: queue.used };
    if (inFlight) {
      rig.post({ addr: RAM, length: 64, write: false });
      rig.post({ addr: OTHER, length: 64, write: true });
    }
    if (answered) {
      const { held, transport } = rig.device as HoldingDevice;
      transport.queue(0).push(held[0]!, 0);
    }
    more(rings);
  };
}

/** Makes the next buffer available as it is right, with fences; `from` buffers were before. */
function expose({ rig, desc, avail }: Rings, from = 0): void {
  rig.access(true, desc + 16 * (from + 4), 8, FREE).access(true, avail + 4 + 2 * from, 2, from + 4);
  rig.access(true, avail + 2, 2, from + 1, 1);
}

export const memoryCases: Readonly<Record<string, RuleCase>> = {
  "buffer-read-in-flight": {
    broken: live(({ rig }) => rig.access(false, OTHER + 8, 4)),
    // What the device reads may be read, and so may what was used.
    kept: live((rings) => {
      rings.rig.access(false, RAM, 4).access(false, OTHER - 8, 8).access(false, OTHER + 64, 1);
      expose(rings, 2);
    }),
  },
  "buffer-written-in-flight": {
    broken: live(({ rig }) => rig.access(true, RAM + 63, 1)),
    kept: live(
      (rings) => {
        rings.rig.access(true, RAM, 4).access(true, FREE, 8);
        expose(rings, 2);
      },
      true,
      true,
    ),
  },
  "buffer-overlap": {
    broken: live(({ rig }) => void rig.post({ addr: OTHER + 60, length: 8, write: true })),
    // What it reads may be read twice, and what it was done with is free.
    kept: live(({ rig }) => void rig.post({ addr: RAM, length: 8 }, { addr: OTHER + 64, length: 8, write: true })),
  },
  "descriptor-written-in-flight": {
    broken: live(({ rig, desc }) => rig.access(true, desc + 12, 2, 1)),
    kept: live(
      (rings) => {
        rings.rig.access(true, rings.desc, 8);
        expose(rings, 2);
      },
      true,
      true,
    ),
  },
  "avail-entry-late": {
    broken: live(({ rig, avail }) => rig.access(true, avail + 2, 2, 1).access(true, avail + 4, 2, 3), false),
    kept: live(expose, false),
  },
  "avail-idx-back": {
    broken: live(({ rig, avail }) => rig.access(true, avail + 2, 2, 5).access(true, avail + 2, 2, 4), false),
    kept: live(({ rig, avail }) => rig.access(true, avail + 2, 2, 0xffff).access(true, avail + 2, 2, 0), false),
  },
  "used-ring-written": {
    broken: live(({ rig, used }) => rig.access(true, used + 2, 2)),
    kept: live((rings) => {
      // Clearing it before the first buffer is late, but harms nobody.
      rings.rig.access(true, rings.used, 4);
      expose(rings);
    }, false),
  },
  "used-read-early": {
    broken: live(({ rig, used }) => rig.access(false, used + 2, 2).access(false, used + 12, 4, 0, 1), true, true),
    kept: live(({ rig, used }) => rig.access(false, used + 2, 2).access(false, used + 4, 4, 0, 1), true, true),
  },
  "barrier-available": {
    broken: live(({ rig, desc, avail }) => rig.access(true, desc + 64, 8).access(true, avail + 2, 2, 1), false),
    kept: live(expose, false),
  },
  "barrier-notify": {
    broken: live((rings) => {
      expose(rings);
      rings.rig.play("W050=0");
    }, false),
    kept: live((rings) => {
      expose(rings);
      rings.rig.access(false, FREE, 1, 0, 1).play("W050=0");
    }, false),
  },
  "barrier-used": {
    broken: live(({ rig, used }) => rig.access(false, used + 2, 2).access(false, used + 4, 8), true, true),
    kept: live(({ rig, used }) => rig.access(false, used + 2, 2).access(false, used + 4, 8, 0, 1), true, true),
  },
};
