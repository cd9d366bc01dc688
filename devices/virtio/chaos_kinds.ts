import { Prng } from "./prng.ts";

/** Something that a device may do and drivers seldom meet. */
export interface ChaosKindRow {
  /** As options and events say it. */
  readonly name: ChaosKind;
  /** What it is, for help. */
  readonly what: string;
  /** What allows it. */
  readonly spec: string;
}

/** Names of the kinds of chaos. */
export type ChaosKind =
  | "slots"
  | "features"
  | "queue_size"
  | "reorder"
  | "late"
  | "burst"
  | "spurious"
  | "short"
  | "config"
  | "needs_reset";

/** Every kind. All of it is legal: a driver that it breaks has a bug. */
export const chaosKinds: readonly ChaosKindRow[] = [
  { name: "slots", what: "devices in the slots from the highest down", spec: "virtio 1.2 §4.2.1" },
  { name: "features", what: "another choice of features is offered", spec: "virtio 1.2 §2.2.2" },
  {
    name: "queue_size",
    what: "queues of unusual sizes, with packed rings any number",
    spec: "virtio 1.2 §2.7, §2.8.10.1",
  },
  { name: "reorder", what: "buffers used in another order than they were made available", spec: "virtio 1.2 §2.6" },
  { name: "late", what: "buffers used after up to two hundred times the latency", spec: "virtio 1.2 §2.6" },
  { name: "burst", what: "several buffers used at one moment", spec: "virtio 1.2 §2.6" },
  { name: "spurious", what: "interrupts without a used buffer", spec: "virtio 1.2 §2.7.7.1, §2.8.10" },
  { name: "short", what: "entropy for a part of the buffer only", spec: "virtio 1.2 §5.4.6.2" },
  { name: "config", what: "the configuration changes while it is read", spec: "virtio 1.2 §2.5.1, §2.5.2" },
  { name: "needs_reset", what: "the device gives up, with DEVICE_NEEDS_RESET", spec: "virtio 1.2 §2.1.2" },
];

/** What a run is to have of it. */
export interface ChaosSettings {
  /** Says everything that is decided by chance: 0 to 2^32 - 1. */
  readonly seed: number;
  readonly kinds: ReadonlySet<ChaosKind>;
}

/** Chance that repeats: a sequence per seed, slot and use, so that switching one kind off leaves the dice of the others. */
export class Dice {
  readonly #prng: Prng;
  readonly #seed: number;

  /** `use` tells sequences of one slot apart. */
  constructor(seed: number, slot: number, use: string) {
    let hash = 0x811c9dc5; // FNV-1a
    for (let i = 0; i < use.length; i++) hash = Math.imul(hash ^ use.charCodeAt(i), 0x01000193);
    this.#seed = hash ^ Math.imul(seed + 1, 0x9e3779b1) ^ Math.imul(slot + 1, 0x85ebca6b);
    this.#prng = new Prng(0);
    this.reset();
  }

  /** Begins the sequence again. */
  reset(): void {
    this.#prng.seed(this.#seed);
    // The first numbers of seeds that differ little differ little.
    for (let i = 0; i < 8; i++) this.#prng.next();
  }

  /** An integer from 0 to `n - 1`. */
  below(n: number): number {
    return Math.floor(this.#prng.next() / 0x1_0000_0000 * n);
  }

  /** True once in `n` times. */
  oneIn(n: number): boolean {
    return this.below(n) === 0;
  }
}
