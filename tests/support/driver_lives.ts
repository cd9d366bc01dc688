/** What drivers do with devices in a run, sorted by the lives of drivers: from negotiated features to the reset. */
import { assertEquals } from "@std/assert";
import { featureBit } from "../../devices/virtio/feature_set.ts";
import type { GuestProgram } from "../../tools/guest_images.ts";
import { imageName } from "../../tools/guest_images.ts";
import type {
  IrqEvent,
  MachineFact,
  ViolationEvent,
  VirtioDeviceEvent,
  VirtqueueEvent,
  Where,
} from "../../vm/events.ts";
import { bootImage, type BootOptions, bootOptions } from "./boot_image.ts";
import { onEveryFact } from "./facts.ts";

/** A fact with when it happened. */
export type Told<F> = F & { readonly now: number };

/** One life of a driver on a device: from its features to the reset that ends it. */
export interface Life {
  /** Feature bits accepted. */
  readonly accepted: bigint;
  readonly ok: boolean;
  /** Facts of the device's queues, in order. */
  readonly queue: Told<VirtqueueEvent>[];
  readonly requests: string[];
  /** Values the status register took. */
  readonly status: number[];
  /** Whether a reset ended it. */
  reset: boolean;
}

/** What happened in a run. */
export interface Facts {
  readonly lives: ReadonlyMap<string, readonly Life[]>;
  readonly irqs: readonly Told<IrqEvent>[];
  readonly violations: readonly ViolationEvent[];
  readonly all: readonly Told<MachineFact>[];
}

/** Sorts facts by the lives of drivers they belong to. */
function livesOf(all: readonly Told<MachineFact>[]): Map<string, Life[]> {
  const lives = new Map<string, Life[]>();
  const status = new Map<string, number[]>();
  for (const fact of all) {
    if (fact.kind !== "virtio" && fact.kind !== "virtqueue") continue;
    const own = lives.get(fact.device) ?? [];
    lives.set(fact.device, own);
    const last = own.at(-1);
    if (fact.kind === "virtqueue") {
      // A legacy driver's features are told only with DRIVER_OK, and its queues are there before.
      if (fact.step !== "configured" || last?.reset === false) last?.queue.push(fact);
    } else addStep(fact, own, status);
  }
  return lives;
}

function addStep(fact: VirtioDeviceEvent, own: Life[], status: Map<string, number[]>): void {
  const last = own.at(-1);
  switch (fact.step) {
    case "status":
      status.set(fact.device, [...(status.get(fact.device) ?? []), fact.to]);
      if (last?.reset === false) last.status.push(fact.to);
      break;
    case "features":
      own.push({
        accepted: fact.accepted,
        ok: fact.ok,
        queue: [],
        requests: [],
        status: status.get(fact.device) ?? [],
        reset: false,
      });
      break;
    case "reset":
      status.set(fact.device, []);
      if (last !== undefined) last.reset = true;
      break;
    case "request":
      last?.requests.push(fact.text);
      break;
  }
}

/** Boots a program for one width and keeps every fact, on the interpreter where nothing else is said. */
export async function factsOf(
  program: GuestProgram,
  xlen: 32 | 64,
  options: Partial<BootOptions> = {},
): Promise<Facts> {
  const all: Told<MachineFact>[] = [];
  const result = await bootImage(`${imageName(program, xlen)}.elf`, {
    ...bootOptions(program, xlen, options.version),
    engine: "interpreter",
    ...options,
    started: (machine) =>
      onEveryFact(machine, (fact: MachineFact, where: Where) => all.push({ ...fact, now: where.now })),
  });
  assertEquals(result.reason, "pass", result.console);
  const kind = <K extends MachineFact["kind"]>(wanted: K) =>
    all.filter((fact): fact is Told<Extract<MachineFact, { kind: K }>> => fact.kind === wanted);
  return { lives: livesOf(all), irqs: kind("irq"), violations: kind("violation"), all };
}

/** The mask of a reserved feature bit. */
export function featureMask(name: string): bigint {
  return 1n << BigInt(featureBit(0, name));
}

/** The chains a device took in a life. */
export function chains(life: Life): Told<Extract<VirtqueueEvent, { step: "chain" }>>[] {
  return life.queue.filter((fact) => fact.step === "chain");
}

/** The notifications of a life: sent, or suppressed and why. */
export function notifications(life: Life): Told<Extract<VirtqueueEvent, { step: "interrupt" }>>[] {
  return life.queue.filter((fact) => fact.step === "interrupt");
}
