/**
 * What an image of the gallery of wrong drivers is: the reference driver of `guest/`, with one mistake written into it.
 * The mistake is a replacement of text, so that the driver itself stays as it is, and the mended lines are always those
 * that work.
 */

/** A driver at work, which a mistake is put into. */
export interface Base {
  readonly name: string;
  /** The file with `main`, in `guest/`. */
  readonly main: "gallery/disk.c" | "gallery/entropy.c" | "gallery/console.c";
  /** The driver, of `guest/virtio/`, without `.c`. */
  readonly driver: "virtio_blk" | "virtio_rng" | "virtio_console";
  /** Features that it does not accept, as C: without them the simple way through the driver is taken. */
  readonly denied: string;
  /** Version of the devices; default 2. */
  readonly version?: 1 | 2;
  /** Devices that are not the default ones. */
  readonly devices?: readonly string[];
  /** It waits without a time-out, as drivers do that trust their device. */
  readonly patient?: boolean;
  readonly what: string;
}

/** A piece of a source file, and what the mistake makes of it. The first is found exactly once. */
export type Change = readonly [right: string, wrong: string];

/** How a run ends: as the guest says, at the end of the instructions it is given, or at what it waits for in vain. */
export type Ends = "pass" | "fail" | "limit" | "stall" | "died";

/** One wrong driver. */
export interface Mistake {
  /** Name of the image. */
  readonly name: string;
  readonly base: string;
  /** What is wrong, in a sentence. */
  readonly what: string;
  /** The file it is in, in `guest/`. */
  readonly file: string;
  readonly changes: readonly Change[];
  /** What the checker tells, the mistake itself first: a rule's name, `@`, and the function it is broken in. */
  readonly finds: readonly string[];
  /** How the run ends; default: pass, as the mistake does no harm on this machine. */
  readonly ends?: Ends;
  /** The link that the stall explainer names, where the run ends in a stall or at its limit. Then nothing may be found. */
  readonly stall?: string;
}

const both = "BIT_ULL(VIRTIO_F_INDIRECT_DESC) | BIT_ULL(VIRTIO_F_EVENT_IDX)";
const entropy = { main: "gallery/entropy.c", driver: "virtio_rng" } as const;
const disk = { main: "gallery/disk.c", driver: "virtio_blk" } as const;

/** The drivers at work. Each is an image too, without a mistake. */
export const bases: readonly Base[] = [
  { name: "disk", ...disk, denied: both, what: "the disk driver, split rings with chains of descriptors" },
  {
    name: "disk_indirect",
    ...disk,
    denied: "BIT_ULL(VIRTIO_F_EVENT_IDX)",
    what: "the disk driver, split rings with indirect tables",
  },
  {
    name: "disk_event",
    ...disk,
    denied: "BIT_ULL(VIRTIO_F_INDIRECT_DESC)",
    what: "the disk driver, split rings with EVENT_IDX",
  },
  {
    name: "disk_in_order",
    ...disk,
    denied: both,
    devices: ["blk,in_order=on"],
    what: "the disk driver, split rings with IN_ORDER",
  },
  { name: "disk_legacy", ...disk, denied: both, version: 1, what: "the disk driver on the legacy interface" },
  {
    name: "disk_packed",
    ...disk,
    denied: both,
    devices: ["blk,packed=on"],
    what: "the disk driver, packed rings with chains of descriptors",
  },
  {
    name: "disk_packed_indirect",
    ...disk,
    denied: "BIT_ULL(VIRTIO_F_EVENT_IDX)",
    devices: ["blk,packed=on"],
    what: "the disk driver, packed rings with indirect tables",
  },
  {
    name: "disk_read_only",
    ...disk,
    denied: both,
    devices: ["blk,ro"],
    what: "the disk driver and a disk that cannot be written",
  },
  { name: "entropy", ...entropy, denied: both, what: "the entropy driver" },
  {
    name: "entropy_patient",
    ...entropy,
    denied: both,
    patient: true,
    what: "the entropy driver, waiting without a time-out",
  },
  {
    name: "entropy_patient_event",
    ...entropy,
    denied: "BIT_ULL(VIRTIO_F_INDIRECT_DESC)",
    patient: true,
    what: "the entropy driver with EVENT_IDX, waiting without a time-out",
  },
  {
    name: "entropy_patient_packed",
    ...entropy,
    denied: both,
    devices: ["rng,packed=on"],
    patient: true,
    what: "the entropy driver with packed rings, waiting without a time-out",
  },
  {
    name: "entropy_patient_packed_event",
    ...entropy,
    denied: "BIT_ULL(VIRTIO_F_INDIRECT_DESC)",
    devices: ["rng,packed=on"],
    patient: true,
    what: "the entropy driver with packed rings and EVENT_IDX, and no time-out",
  },
  {
    name: "entropy_data",
    ...entropy,
    denied: both,
    devices: ["rng,notification_data=on"],
    what: "the entropy driver with NOTIFICATION_DATA",
  },
  {
    name: "entropy_late_slot",
    ...entropy,
    denied: both,
    devices: ["rng,slot=3", "blk,slot=4", "console,slot=0"],
    what: "the entropy driver and an entropy source behind empty slots",
  },
  { name: "console", main: "gallery/console.c", driver: "virtio_console", denied: both, what: "the console driver" },
];

/** Rings of eight entries: small enough to be drawn, and to be gone around soon. */
const smallRings: { readonly file: string; readonly change: Change } = {
  file: "virtio/virtio_ring_create.c",
  change: ["if (num > VRING_NUM_MAX)\n\t\tnum = VRING_NUM_MAX;", "if (num > 8)\n\t\tnum = 8;"],
};

/** Waiting without a time-out. */
const patience: { readonly file: string; readonly change: Change } = {
  file: "lib/timer.c",
  change: ["\ttimer_set(deadline, NULL);\n\twhile (!*flag && timer_now() < deadline) {", "\twhile (!*flag) {"],
};

/** What every image of a base has that is not as in `guest/`. */
export function shapeOf({ patient }: Base): readonly { readonly file: string; readonly change: Change }[] {
  return patient === true ? [smallRings, patience] : [smallRings];
}

/** The base called `name`. */
export function baseOf(name: string): Base {
  const base = bases.find((one) => one.name === name);
  if (base === undefined) throw new Error(`gallery: no base is called ${name}`);
  return base;
}

/**
 * A source with changes made.
 *
 * @throws if what a change replaces is not there, or more than once: the source has moved on, and so must the gallery
 */
export function changed(file: string, source: string, changes: readonly Change[]): string {
  return changes.reduce((text, [right, wrong]) => {
    const parts = text.split(right);
    if (parts.length !== 2) {
      throw new Error(`gallery: guest/${file} has this ${parts.length - 1} times, not once:\n${right}`);
    }
    return parts.join(wrong);
  }, source);
}

/** Steps that an image is given whose driver does not come to an end. */
export const STEPS_MAX = 2_000_000;

/** What an image asks of its machine, as options. */
export function argumentsOf({ version, devices = [] }: Base, mistake: Mistake | undefined): string[] {
  return [
    ...(mistake?.ends === "limit" ? ["--timeout-insns", `${STEPS_MAX / 1e6}M`] : []),
    ...(version === undefined ? [] : ["--virtio-version", `${version}`]),
    ...devices.flatMap((device) => ["--device", device]),
  ];
}
