/** How the buffers of a request are laid out, as far as it does not depend on their content (virtio 1.2 §5.2.6, §5.3.6). */
import type { DescriptorFact, VirtqueueEvent } from "../events.ts";
import { hasFeature } from "./feature_bits.ts";
import type { Occasion } from "./rule.ts";

type Chain = Extract<VirtqueueEvent, { step: "chain" }>;

/** What is known of the device that a request goes to. */
export interface Requested {
  /** DeviceID. */
  readonly type: number | undefined;
  readonly legacy: boolean;
  /** The features in force. */
  readonly features: bigint;
  /** What the driver has read of the configuration, by field. */
  readonly config: ReadonlyMap<string, number>;
  readonly occasions: Set<Occasion>;
}

const BLK = 2;
const CONSOLE = 3;
const WRITE = 2;
const INDIRECT = 4;
/** Bytes of a block request's header and status (virtio 1.2 §5.2.6). */
const HEADER = 16;
const STATUS = 1;
/** The first queue of a console that carries control messages, and the last (virtio 1.2 §5.3.2). */
const CONTROL_QUEUES: readonly number[] = [2, 3];

/** Compares one chain with what its device type asks of layouts. */
export function checkRequest(fact: Chain, device: Requested, report: (rule: string, what: string) => void): void {
  const parts = fact.descriptors.filter(({ flags }) => (flags & INDIRECT) === 0);
  if (device.type === BLK) {
    limits(fact, parts, device, report);
    if (framed(device)) blkLayout(fact, parts, report);
  } else if (device.type === CONSOLE && framed(device) && CONTROL_QUEUES.includes(fact.queue)) {
    device.occasions.add("legacy-control");
    if (parts.length > 1) {
      report("console-legacy-layout", `queue ${fact.queue}, head ${fact.head}: ${parts.length} descriptors`);
    }
  }
}

/** §2.7.4.3: whether layouts are not arbitrary. */
function framed({ legacy, features }: Requested): boolean {
  return legacy && !hasFeature(features, "VIRTIO_F_ANY_LAYOUT");
}

/** §5.2.6.4: a descriptor for the header, those of the data, and one for the status. */
function blkLayout(
  { queue, head }: Chain,
  parts: readonly DescriptorFact[],
  report: (rule: string, what: string) => void,
): void {
  const [first, last] = [parts[0], parts.at(-1)];
  const where = `queue ${queue}, head ${head}`;
  if (first !== undefined && ((first.flags & WRITE) !== 0 || first.length !== HEADER)) {
    report("blk-legacy-layout", `${where}: the first descriptor has ${first.length} bytes, the header ${HEADER}`);
  } else if (last !== undefined && ((last.flags & WRITE) === 0 || last.length !== STATUS)) {
    report("blk-legacy-layout", `${where}: the last descriptor has ${last.length} bytes, the status ${STATUS}`);
  }
}

/** §5.2.4: seg_max and size_max are for the data, and either part may share a descriptor with it. */
function limits(
  { queue, head }: Chain,
  parts: readonly DescriptorFact[],
  { features, config }: Requested,
  report: (rule: string, what: string) => void,
): void {
  const where = `queue ${queue}, head ${head}`;
  const [seg_max, size_max] = [config.get("seg_max"), config.get("size_max")];
  if (seg_max !== undefined && hasFeature(features, "VIRTIO_BLK_F_SEG_MAX", BLK) && parts.length - 2 > seg_max) {
    report(
      "blk-limits",
      `${where}: ${parts.length} descriptors, of which 2 may be header and status; seg_max is ${seg_max}`,
    );
  }
  if (size_max === undefined || !hasFeature(features, "VIRTIO_BLK_F_SIZE_MAX", BLK)) return;
  const long = parts.find(({ length }) => length > size_max + HEADER + STATUS);
  if (long !== undefined) {
    report("blk-limits", `${where}: a descriptor of ${long.length} bytes; size_max is ${size_max}`);
  }
}
