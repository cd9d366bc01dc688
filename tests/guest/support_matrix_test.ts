/**
 * The ticks of README's support matrix: each boots firmware on devices that offer everything, and asserts that the
 * feature was negotiated and, by what the devices tell, used. The rows are in `tools/support_matrix.ts`.
 */
import { assert, assertEquals } from "@std/assert";
import { blkSwitches } from "../../devices/virtio/blk_config.ts";
import { consoleSwitches } from "../../devices/virtio/console.ts";
import { featureBit } from "../../devices/virtio/feature_set.ts";
import { deviceTypes } from "../../devices/virtio/features.ts";
import { featureSwitches } from "../../devices/virtio/offered.ts";
import { virtioStatus } from "../../devices/virtio/registers.ts";
import { guestPrograms } from "../../tools/guest_images.ts";
import {
  modernOptions,
  type SupportColumn,
  supportColumns,
  type SupportDevice,
  supportDevices,
  supportedIn,
  supportOptions,
  type SupportRow,
  supportRows,
  supportTestName,
} from "../../tools/support_matrix.ts";
import { chains, type Facts, factsOf, type Life, notifications } from "../support/driver_lives.ts";
import { inOrder } from "../support/feature_matrix.ts";

/** Slots in the order of the kinds. */
const SLOT: Readonly<Record<SupportDevice, number>> = { console: 0, blk: 1, rng: 2, dummy: 3 };

/** What is to be seen when a feature is used: in the life of a driver that negotiated it, or in the run's accesses. */
type Use = (life: Life, facts: Facts, device: string) => boolean;

const asked = (type: string): Use => (life) => life.requests.some((text) => text.split(" ")[0] === type);

/** An access to the configuration space at an offset there. */
const config = (offset: number, write: boolean): Use => (_life, facts, device) =>
  facts.all.some((fact) =>
    fact.kind === "mmio" && fact.device?.name === device && fact.write === write && fact.offset === 0x100 + offset
  );

const answered: Use = (life) => life.queue.some((fact) => fact.step === "used" && fact.written > 0);

/** A queue was taken back and handed over in the life of one driver. */
function restarted(life: Life): boolean {
  const stopped = life.queue.findIndex((fact) => fact.step === "stopped");
  return stopped >= 0 && life.queue.slice(stopped).some((fact) => fact.step === "configured");
}

/** Every notification was decided by the driver's event index, or by its wish to have none. */
const decidedByIndex: Use = (life) => {
  const reasons = notifications(life).map(({ reason }) => reason);
  const byIndex = reasons.filter((reason) => /^used_event is |^desc_event is /.test(reason));
  return new Set(byIndex).size > 1 &&
    reasons.every((reason) => byIndex.includes(reason) || reason === "desc_event_flags is 1");
};

/** By feature, or by device and feature. */
const USED: Readonly<Record<string, Use>> = {
  INDIRECT_DESC: (life) =>
    chains(life).some(({ descriptors }) => descriptors.some(({ table }) => table === "indirect")),
  EVENT_IDX: (life, facts, device) =>
    decidedByIndex(life, facts, device) &&
    [true, false].every((way) => notifications(life).some((one) => one.sent === way)),
  // Their drivers want to hear of each buffer.
  "console EVENT_IDX": decidedByIndex,
  "dummy EVENT_IDX": decidedByIndex,
  IN_ORDER: (life) => inOrder(life) && life.queue.filter(({ step }) => step === "used").length > 1,
  // The upper half of a notification is where the driver will go on.
  NOTIFICATION_DATA: (life) => life.queue.some((fact) => fact.step === "notified" && fact.value > 0xffff),
  RING_RESET: restarted,
  SUSPEND: (life) => {
    const at = life.status.findIndex((status) => (status & virtioStatus.SUSPEND) !== 0);
    return at >= 0 && life.status.slice(at).some((status) => (status & virtioStatus.DRIVER_OK) !== 0);
  },
  ACCESS_PLATFORM: answered,
  ORDER_PLATFORM: answered,
  "IN, OUT": (life, facts, device) => asked("IN")(life, facts, device) && asked("OUT")(life, facts, device),
  FLUSH: asked("FLUSH"),
  CONFIG_WCE: config(32, true),
  DISCARD: asked("DISCARD"),
  WRITE_ZEROES: asked("WRITE_ZEROES"),
  SECURE_ERASE: asked("SECURE_ERASE"),
  LIFETIME: asked("GET_LIFETIME"),
  GET_ID: asked("GET_ID"),
  // It tries to write all the same.
  RO: (life) => ["IN", "OUT"].every((type) => life.requests.some((text) => text.startsWith(`${type} `))),
  // A read of more than a segment is several requests of whole segments.
  SIZE_MAX: (life) => {
    const lengths = chains(life).flatMap(({ descriptors }) => descriptors.map(({ length }) => length));
    return lengths.includes(4096) && lengths.every((length) => length <= 4096);
  },
  MQ: (life) => new Set(chains(life).map(({ queue }) => queue)).size === 4,
  "input and output": (life) => [0, 1].every((queue) => chains(life).some((chain) => chain.queue === queue)),
  EMERG_WRITE: config(8, true),
  SIZE: (life, facts, device) => config(0, false)(life, facts, device) && config(2, false)(life, facts, device),
  // Messages both ways on the control queues, and data on the queues of another port.
  MULTIPORT: (life) => [2, 3, 4, 5].every((queue) => chains(life).some((chain) => chain.queue === queue)),
  "random bytes": answered,
  LIMIT: config(4, false),
};

/** Rules that firmware breaks to see what comes of it, by feature. */
const BROKEN: Readonly<Record<string, readonly string[]>> = { RO: ["blk-read-only"] };

/** The feature bit of a row on its device; undefined where a row is not about a feature. */
function bitOf({ device, feature }: SupportRow): number | undefined {
  const { id } = deviceTypes.find(({ short }) => short === device)!;
  const names = [`VIRTIO_F_${feature}`, `VIRTIO_${device.toUpperCase()}_F_${feature}`, `DUMMY_F_${feature}`];
  for (const name of names) {
    try {
      return featureBit(id, name);
    } catch {
      // Not this name.
    }
  }
  return undefined;
}

/** Runs by image and column: many rows look at the same one. */
const runs = new Map<string, Promise<Facts>>();

function run({ image, device, options }: SupportRow, { version, ring }: SupportColumn): Promise<Facts> {
  const key = `${image} ${version} ${ring} ${options}`;
  const known = runs.get(key);
  if (known !== undefined) return known;
  const program = guestPrograms.find(({ name }) => name === image)!;
  const modern = version === 1 ? [] : [`packed=${ring === "packed" ? "on" : "off"}`, ...modernOptions.map(on)];
  const kinds = Object.keys(supportDevices) as SupportDevice[];
  const own = (kind: SupportDevice): string => {
    if (kind === device && options !== undefined) return options;
    // Several ports take the console's input apart; where it is read, there is one.
    return kind === "console" && image !== "console_ports" ? "" : supportOptions[kind];
  };
  const devices = kinds.filter((kind) => kind !== "dummy" || program.devices.includes("dummy")).map((kind) =>
    [kind, `version=${version}`, own(kind), ...modern].filter((part) => part !== "").join(",")
  );
  // More than a buffer of the console's driver holds, so that several are filled at once.
  const input = program.input === undefined ? {} : { input: `${"long ".repeat(40)}\n${program.input}` };
  const facts = factsOf(program, 64, { version, engine: "auto", devices, ...input });
  runs.set(key, facts);
  return facts;
}

function on(name: string): string {
  return `${name}=on`;
}

for (const row of supportRows) {
  for (const column of supportColumns.filter((one) => supportedIn(row, one))) {
    Deno.test(supportTestName(row, column), async () => {
      const facts = await run(row, column);
      assertEquals(new Set(facts.violations.map(({ id }) => id)), new Set(BROKEN[row.feature]));
      const device = `virtio${SLOT[row.device]}`;
      for (const fact of facts.all) {
        if (fact.kind === "virtqueue" && fact.step === "configured") assertEquals(fact.format, column.ring);
      }
      const bit = bitOf(row);
      const lives = facts.lives.get(device)!.filter(({ accepted }) =>
        bit === undefined || (accepted >> BigInt(bit) & 1n) === 1n
      );
      assert(lives.length > 0, "not negotiated");
      const used = USED[`${row.device} ${row.feature}`] ?? USED[row.feature]!;
      assert(lives.some((life) => used(life, facts, device)), "negotiated, but not used");
    });
  }
}

Deno.test("the matrix has a row for every feature that can be switched, but for those it says nothing about", () => {
  const shown = (device: SupportDevice) =>
    supportRows.filter((row) => row.device === device).map(({ feature }) => feature);
  const missing = (device: SupportDevice, prefix: string, features: readonly string[]) =>
    features.map((name) => name.replace(prefix, "")).filter((name) => !shown(device).includes(name));
  // Fields that the firmware does not read: tests of the device stand in the table for them.
  assertEquals(missing("blk", "VIRTIO_BLK_F_", blkSwitches.map(({ feature }) => feature)), [
    "SEG_MAX",
    "GEOMETRY",
    "BLK_SIZE",
    "TOPOLOGY",
  ]);
  assertEquals(missing("console", "VIRTIO_CONSOLE_F_", consoleSwitches.map(({ feature }) => feature)), []);
  // A column of its own.
  assertEquals(missing("blk", "VIRTIO_F_", featureSwitches.map(({ feature }) => feature)), ["RING_PACKED"]);
});
