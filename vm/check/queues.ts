/** What stands in a device's queues and where they are, as the device tells it (virtio 1.2 §2.7, §3.3.1). */
import { hex } from "../bits.ts";
import type { VirtqueueEvent } from "../events.ts";
import type { Occasion } from "./rule.ts";
import type { Report } from "./registers.ts";

/** The flags of a descriptor (virtio 1.2 §2.7.5). */
const INDIRECT = 4;
const DEFINED_FLAGS = 7;

/** A part of a queue in memory. */
interface Area {
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

/** One queue while it is handed over. */
interface Queue {
  readonly areas: readonly Area[];
  inFlight: number;
}

/** The parts of a queue. Fields that exist only with a feature, at the ends of split rings, are left out. */
function areasOf(fact: Extract<VirtqueueEvent, { step: "configured" }>): Area[] {
  const { device, queue, format, size, desc, driver, device_area } = fact;
  const area = (part: string, start: number, bytes: number): Area => {
    return { name: `${part} of ${device} queue ${queue}`, start, end: start + bytes };
  };
  if (format === "packed") {
    return [
      area("descriptor ring", desc, 16 * size),
      area("driver event suppression", driver, 4),
      area("device event suppression", device_area, 4),
    ];
  }
  return [
    area("descriptor table", desc, 16 * size),
    area("available ring", driver, 4 + 2 * size),
    area("used ring", device_area, 4 + 8 * size),
  ];
}

/** Watches the queues of all devices. */
export class QueueWatch {
  readonly #queues = new Map<string, Queue>();

  /** The machine was reset. */
  powerOn(): void {
    this.#queues.clear();
  }

  /** One step of a queue. `stopping`: the driver has just taken it back; else a reset or a failure did. */
  step(fact: VirtqueueEvent, stopping: boolean, occasions: Set<Occasion>, report: Report): void {
    const key = `${fact.device}.${fact.queue}`;
    const queue = this.#queues.get(key);
    switch (fact.step) {
      case "configured": {
        const areas = areasOf(fact);
        this.#queues.delete(key);
        this.#overlaps(areas, report);
        this.#queues.set(key, { areas, inFlight: 0 });
        break;
      }
      case "stopped":
        if (stopping && queue !== undefined && queue.inFlight > 0) {
          report("queue-stopped-in-flight", `queue ${fact.queue} is stopped with ${queue.inFlight} in flight`);
        }
        this.#queues.delete(key);
        break;
      case "available":
        occasions.add("available");
        break;
      case "chain":
        if (queue !== undefined) queue.inFlight++;
        this.#chain(fact, occasions, report);
        break;
      case "used":
        if (queue !== undefined) queue.inFlight--;
    }
  }

  #chain(fact: Extract<VirtqueueEvent, { step: "chain" }>, occasions: Set<Occasion>, report: Report): void {
    occasions.add("chain");
    for (const { index, table, flags } of fact.descriptors) {
      if ((flags & INDIRECT) !== 0) occasions.add("indirect");
      if ((flags & ~DEFINED_FLAGS) === 0) continue;
      const place = table === "ring" ? "descriptor" : "indirect descriptor";
      report("descriptor-flags", `queue ${fact.queue}, ${place} ${index} has flags ${hex(flags)}`);
    }
  }

  #overlaps(areas: readonly Area[], report: Report): void {
    const others = [...this.#queues.values()].flatMap((queue) => queue.areas);
    areas.forEach((area, i) => {
      const hit = [...areas.slice(0, i), ...others].find((o) => area.start < o.end && o.start < area.end);
      if (hit !== undefined) report("queue-areas-overlap", `${areaText(area)} overlaps ${areaText(hit)}`);
    });
  }
}

function areaText({ name, start, end }: Area): string {
  return `${name} at ${hex(start)}..${hex(end - 1)}`;
}
