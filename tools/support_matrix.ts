/**
 * The support matrix of README.md: which feature of which device works behind which interface and with which rings. A
 * tick is a test of `tests/guest/support_matrix_test.ts`, which boots the image named here on devices that offer the
 * feature, and asserts by what the devices tell that it was negotiated and used; or, where no firmware uses it, a test of
 * the device alone. `tools/readme_output.ts` writes it.
 */

/** Where a feature can be used: a column. */
export interface SupportColumn {
  readonly version: 1 | 2;
  readonly ring: "split" | "packed";
}

export const supportColumns: readonly SupportColumn[] = [
  { version: 1, ring: "split" },
  { version: 2, ring: "split" },
  { version: 2, ring: "packed" },
];

/** A kind of device that has rows. */
export type SupportDevice = "console" | "blk" | "rng" | "dummy";

/** Its heading. */
export const supportDevices: Readonly<Record<SupportDevice, string>> = {
  blk: "Block",
  console: "Console",
  rng: "Entropy",
  dummy: "Test device (`dummy`)",
};

/** A feature of a device, and the firmware that uses it. */
export interface SupportRow {
  readonly device: SupportDevice;
  /** The specification's name without its prefix, or what is done. */
  readonly feature: string;
  /** The image that uses it. */
  readonly image: string;
  /** Whether the legacy interface has it too. */
  readonly legacy: boolean;
  /** Parameters of its device, where not everything is to be offered at once. */
  readonly options?: string;
}

/** Parameters of `--device` for the runs, beside version and ring: everything is offered at once. */
export const supportOptions: Readonly<Record<SupportDevice, string>> = {
  blk: "num-queues=4,discard=on,secure_erase=on,wear=1:2:3,size-max=4096,size=8M",
  console: "port=echo@loop,console-port=second@loop",
  rng: "",
  dummy: "",
};

/** What only the modern interface can offer, all of it at once in the runs. */
export const modernOptions: readonly string[] = [
  "in_order",
  "notification_data",
  "ring_reset",
  "suspend",
  "access_platform",
  "order_platform",
];

function rows(device: SupportDevice, image: string, legacy: boolean, ...features: string[]): SupportRow[] {
  return features.map((feature) => ({ device, feature, image, legacy }));
}

const BOTH = true;
const MODERN = false;

/** Every row that firmware shows, in the order of the table. */
export const supportRows: readonly SupportRow[] = [
  ...rows("blk", "event_idx", BOTH, "INDIRECT_DESC", "EVENT_IDX"),
  ...rows("blk", "in_order", MODERN, "IN_ORDER"),
  ...rows("blk", "notification_data", MODERN, "NOTIFICATION_DATA"),
  ...rows("blk", "ring_reset", MODERN, "RING_RESET"),
  ...rows("blk", "suspend", MODERN, "SUSPEND"),
  ...rows("blk", "block_requests", MODERN, "ACCESS_PLATFORM", "ORDER_PLATFORM"),
  ...rows("blk", "block_requests", BOTH, "IN, OUT", "FLUSH", "CONFIG_WCE", "DISCARD", "WRITE_ZEROES", "SECURE_ERASE"),
  ...rows("blk", "block_requests", BOTH, "LIFETIME", "SIZE_MAX"),
  ...rows("blk", "block", BOTH, "GET_ID"),
  ...rows("blk", "block_queues", BOTH, "MQ"),
  { device: "blk", feature: "RO", image: "demo", legacy: true, options: "ro" },
  ...rows("console", "console_echo", BOTH, "input and output", "EVENT_IDX"),
  ...rows("console", "console_echo", MODERN, "IN_ORDER", "NOTIFICATION_DATA", "ACCESS_PLATFORM", "ORDER_PLATFORM"),
  ...rows("console", "freeze", MODERN, "RING_RESET", "SUSPEND"),
  ...rows("console", "console_echo", BOTH, "EMERG_WRITE"),
  ...rows("console", "demo", BOTH, "SIZE"),
  ...rows("console", "console_ports", BOTH, "MULTIPORT"),
  ...rows("rng", "late_callback", BOTH, "random bytes", "INDIRECT_DESC", "EVENT_IDX"),
  ...rows("rng", "late_callback", MODERN, "IN_ORDER", "NOTIFICATION_DATA", "ACCESS_PLATFORM", "ORDER_PLATFORM"),
  ...rows("rng", "freeze", MODERN, "RING_RESET", "SUSPEND"),
  ...rows("dummy", "dummy", BOTH, "LIMIT", "EVENT_IDX"),
  ...rows("dummy", "dummy", MODERN, "IN_ORDER", "NOTIFICATION_DATA", "ACCESS_PLATFORM", "ORDER_PLATFORM"),
];

/** Name of the test behind a tick. */
export function supportTestName({ device, feature }: SupportRow, { version, ring }: SupportColumn): string {
  return `${device}: ${feature} is negotiated and used, version ${version}, ${ring}`;
}

/** Whether a feature exists in a column. */
export function supportedIn(row: SupportRow, { version }: SupportColumn): boolean {
  return row.legacy || version === 2;
}

/** A row behind which stand tests of the device alone: by column, file and name; absent: not in that interface. */
interface DeviceRow {
  readonly device: SupportDevice | "transport";
  readonly feature: string;
  readonly tests: readonly (readonly [file: string, name: string] | undefined)[];
}

const mmio = "devices/virtio/mmio_test.ts";
const core = "devices/virtio/core_test.ts";
const blk = "devices/virtio/blk_test.ts";
const split = "devices/virtio/split_test.ts";
const packed = "devices/virtio/packed_test.ts";

function everywhere(file: string, name: string): DeviceRow["tests"] {
  return supportColumns.map(() => [file, name] as const);
}

function modern(file: string, name: string): DeviceRow["tests"] {
  return supportColumns.map(({ version }) => version === 1 ? undefined : [file, name] as const);
}

const deviceRows: readonly DeviceRow[] = [
  {
    device: "transport",
    feature: "registers and their reset values",
    tests: everywhere(mmio, "every word below the configuration space answers as its row says"),
  },
  {
    device: "transport",
    feature: "status life cycle",
    tests: [
      [core, "legacy: negotiation without FEATURES_OK"],
      [core, "Status shows the driver's progress, FEATURES_OK the device's consent"],
      [core, "Status shows the driver's progress, FEATURES_OK the device's consent"],
    ],
  },
  {
    device: "transport",
    feature: "InterruptStatus, InterruptACK",
    tests: everywhere(mmio, "InterruptStatus holds causes until they are acknowledged"),
  },
  {
    device: "transport",
    feature: "configuration changes",
    tests: [
      ["devices/virtio/console_test.ts", "SIZE is shown and a resize notifies"],
      [core, "ConfigGeneration changes with the configuration and outlives a device reset"],
      [core, "ConfigGeneration changes with the configuration and outlives a device reset"],
    ],
  },
  {
    device: "transport",
    feature: "DEVICE_NEEDS_RESET",
    tests: [
      undefined,
      [core, "DEVICE_NEEDS_RESET is announced by a configuration change once DRIVER_OK is set"],
      [core, "DEVICE_NEEDS_RESET is announced by a configuration change once DRIVER_OK is set"],
    ],
  },
  {
    device: "transport",
    feature: "chains, however cut",
    tests: [
      [split, "a chain is two streams of bytes, however it is cut"],
      [split, "a chain is two streams of bytes, however it is cut"],
      [packed, "packed: a chain is two streams of bytes, however it is cut"],
    ],
  },
  {
    device: "transport",
    feature: "more than 65,536 buffers",
    tests: [
      ["guest/firmware_test.ts", "passes with version 1 devices"],
      ["guest/feature_matrix_test.ts", "more than 65,536 requests through a"],
      [packed, "packed: wrap counters survive more than 65536 buffers in rings of any size"],
    ],
  },
  {
    device: "blk",
    feature: "SEG_MAX, GEOMETRY, BLK_SIZE, TOPOLOGY",
    tests: everywhere(blk, "configuration fields"),
  },
  {
    device: "blk",
    feature: "capacity changes",
    tests: everywhere("devices/virtio/blk_features_test.ts", "another size notifies, and requests beyond the end fail"),
  },
  // The firmware's buffers are single pieces there, for which it makes no tables.
  {
    device: "console",
    feature: "INDIRECT_DESC",
    tests: everywhere("devices/virtio/console_test.ts", "a console takes and fills buffers of indirect tables"),
  },
  {
    device: "dummy",
    feature: "INDIRECT_DESC",
    tests: everywhere("devices/virtio/dummy_test.ts", "the test device fills buffers of indirect tables"),
  },
  {
    device: "dummy",
    feature: "RING_RESET",
    tests: modern("devices/virtio/dummy_test.ts", "a queue of the test device that is reset begins anew"),
  },
  {
    device: "dummy",
    feature: "SUSPEND",
    tests: modern("devices/virtio/dummy_test.ts", "the test device that is suspended goes on where it was"),
  },
];

function tick(file: string, name: string): string {
  return `[✓](tests/${file} "${name}")`;
}

/** The table in Markdown; not yet formatted. */
export function supportTable(): string {
  const heading = supportColumns.map(({ version, ring }) => `version ${version}, ${ring}`);
  const lines = [["feature", ...heading], ["---", ...heading.map(() => ":---:")]];
  const add = (device: SupportDevice | "transport", title: string): void => {
    lines.push([`**${title}**`, ...heading.map(() => "")]);
    for (const row of supportRows.filter((one) => one.device === device)) {
      const cells = supportColumns.map((column) =>
        supportedIn(row, column) ? tick("guest/support_matrix_test.ts", supportTestName(row, column)) : "–"
      );
      lines.push([row.feature, ...cells]);
    }
    for (const row of deviceRows.filter((one) => one.device === device)) {
      lines.push([row.feature, ...row.tests.map((test) => test === undefined ? "–" : tick(...test))]);
    }
  };
  add("transport", "Transport and virtqueues");
  for (const device of Object.keys(supportDevices) as SupportDevice[]) add(device, supportDevices[device]);
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}
