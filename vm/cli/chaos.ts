/** What `--chaos` says, and what it does to the devices of a machine. */
import { chaosTransport } from "../../devices/virtio/chaos.ts";
import { type ChaosKind, chaosKinds, type ChaosSettings, Dice } from "../../devices/virtio/chaos_kinds.ts";
import { chaosOffer } from "../../devices/virtio/chaos_offer.ts";
import type { SlotOptions } from "../machine.ts";
import { type DeviceSpec, parseOnOff } from "./device_parameters.ts";
import { UsageError } from "./errors.ts";
import { didYouMean } from "./nearest.ts";
import { parseInteger } from "./units.ts";

/** Makes the devices of a machine hostile. */
export class Chaos {
  readonly settings: ChaosSettings;

  constructor(settings: ChaosSettings) {
    this.settings = settings;
  }

  /** Whether slots are filled from the highest down. */
  get reversed(): boolean {
    const { seed, kinds } = this.settings;
    return kinds.has("slots") && new Dice(seed, 0, "slots").oneIn(2);
  }

  /** The devices as they are offered: what the command line says of them stays. */
  offers(specs: readonly (DeviceSpec | undefined)[], defaultVersion: 1 | 2): (DeviceSpec | undefined)[] {
    return specs.map((spec, slot) => {
      if (spec === undefined) return undefined;
      return { ...spec, ...chaosOffer(this.settings, slot, { ...spec, version: spec.version ?? defaultVersion }) };
    });
  }

  transport(slot: number): NonNullable<SlotOptions["transport"]> {
    return chaosTransport(this.settings, slot);
  }
}

/**
 * Parses the value of `--chaos`.
 *
 * ```ts
 * import { parseChaos } from "./chaos.ts";
 *
 * const { settings } = parseChaos("seed=7,all=off,late=on");
 * if (settings.seed !== 7 || [...settings.kinds].join() !== "late") throw new Error("parsed wrongly");
 * ```
 */
export function parseChaos(text: string): Chaos {
  const kinds = new Set<ChaosKind>(chaosKinds.map((row) => row.name));
  const names = ["seed", "all", ...kinds];
  let seed: number | undefined;
  for (const part of text.split(",")) {
    const [name = "", value] = part.split("=", 2);
    if (!names.includes(name)) {
      const hint = didYouMean(name, names);
      throw new UsageError(`--chaos: unknown kind "${name}"; expected one of ${names.join(", ")}${hint}`);
    }
    if (value === undefined) {
      throw new UsageError(`--chaos: expected ${name}=${name === "seed" ? "N" : "on|off"}, got "${part}"`);
    }
    try {
      if (name === "seed") {
        seed = parseInteger(value, { min: 0, max: 2 ** 32 - 1 });
        continue;
      }
      const on = parseOnOff(value);
      for (const row of chaosKinds) {
        if (name !== "all" && name !== row.name) continue;
        if (on) kinds.add(row.name);
        else kinds.delete(row.name);
      }
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      throw new UsageError(`--chaos: ${name}: expected ${error.message}, got "${value}"`);
    }
  }
  if (seed === undefined) throw new UsageError(`--chaos: expected seed=N, got "${text}"`);
  return new Chaos({ seed, kinds });
}
