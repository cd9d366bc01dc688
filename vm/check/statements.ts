/**
 * Which statements of the VIRTIO specification ask something of a driver, and why some of them have no rule: what a
 * coverage figure is of. Areas are those that Ringside's devices are of; numbers count the words MUST, SHOULD and MAY
 * in each area, over versions 1.0 to 1.4.
 */
import { statementsOf } from "./rule.ts";
import { rules } from "./rules.ts";

/** By area: numbers of the statements with MUST or SHOULD that bind a driver. */
export const driverStatements: Readonly<Record<string, string>> = {
  basic: "1-4 8-15 21 24 27-32 34 37 40 43 45-50 53-60 71",
  split: "1-5 8-9 14-20 23-24 26 28 38-46 56 58",
  packed: "1 9-11 13-18 21-24 27 29",
  mmio: "13-18 20 22-33 36-44",
  reserved: "1 3-8 10-11 13 27-28",
  blk: "1-2 4-7 9 11 34-44 46-51 53-57 59 99 101-102 108-113",
  console: "2 5-6 10-16",
  entropy: "1-2",
};

/** Statements that no rule is about. */
export interface Unchecked {
  /** Their numbers, or names of what follows from the text, with spaces between. */
  readonly statements: string;
  /** What they ask, and where. */
  readonly asks: string;
  /** Why a run does not show whether a driver does it. */
  readonly why: string;
}

const ZONED = "no device here has zones: VIRTIO_BLK_F_ZONED is not offered, and accepting it all the same is told.";
const SCSI = "no device here offers VIRTIO_BLK_F_SCSI, and accepting it all the same is told.";
const INSIDE = "it is about what the driver does with a value in its own variables.";
const LEGACY_ORDER =
  "the guest is little-endian and so is every field: both orders are the same one. A wrong one shows as a value out of range.";

/** Every statement without a rule, with the reason. */
export const unchecked: readonly Unchecked[] = [
  {
    statements: "basic010 basic011",
    asks: "Look at what is offered before accepting, and ignore bits that are unknown (1.3 §2.2.1).",
    why: "looking leaves no trace; accepting a bit that is not offered, or without what it requires, is told.",
  },
  {
    statements: "basic013 basic014 basic015 basic047",
    asks: "Do without features that are not offered, and set FAILED where that cannot be (§2.2.1, §3.1.1).",
    why:
      "a driver that stops may have other reasons. Try it: devices take event_idx=off, indirect=off and the like, and " +
      "going on after FEATURES_OK was refused is told.",
  },
  {
    statements: "basic021 basic024",
    asks:
      "Take a device that does not offer VERSION_1 for a legacy one, and follow the legacy sections there (§2.2.3).",
    why: "the rules on legacy devices are those sections.",
  },
  {
    statements: "basic031 basic032",
    asks: "Do not mind a configuration space that is larger than known (§2.5.1).",
    why: "the space has one size here; a driver that gives up has not said why.",
  },
  {
    statements: "split003 split004",
    asks: "Lay a legacy queue out by the formula, in one piece (§2.7.2).",
    why:
      "the device has one address only, and takes the rest from the formula. Another layout shows as jumps of idx, as " +
      "heads out of range, or as used elements that are never read.",
  },
  {
    statements: "split005 blk001 blk101 console002 console014",
    asks: "Legacy fields are in the guest's byte order.",
    why: LEGACY_ORDER,
  },
  {
    statements: "split009",
    asks: "Do not use excessively many descriptors (§2.7.4.2).",
    why: "the text gives no number; more than seg_max or the queue size is told.",
  },
  {
    statements: "split028",
    asks: "Cope with notifications that bring nothing (§2.7.7.1).",
    why: "a driver that does not cope crashes or hangs, which is told as that. `--chaos` sends such notifications.",
  },
  {
    statements: "split038 split039 entropy002",
    asks: "Assume nothing about a buffer beyond the length that came back (§2.7.8.3, §5.4.6.1).",
    why: "what stands there is the driver's own, which it may well read: a load does not show what is assumed of it. " +
      "`--chaos` makes devices answer shorter than asked.",
  },
  { statements: "split041", asks: "Without EVENT_IDX ignore avail_event (§2.7.10.1).", why: INSIDE },
  {
    statements: "split044",
    asks: "With EVENT_IDX ignore flags of the used ring (§2.7.10.1).",
    why: "devices here leave it 0 then; a notification that is missing is told.",
  },
  {
    statements: "packed016",
    asks: "Do not rely on the device using a descriptor for each of a list's (§2.8.17).",
    why: "devices here use one for a list, as they may: a driver that waits for more hangs, and is told where.",
  },
  {
    statements: "mmio018 mmio020",
    asks: "Leave a slot alone whose MagicValue or Version is another (§4.2.2.2).",
    why: "every slot here has the right ones; that both were read before DeviceID is checked.",
  },
  {
    statements: "mmio028",
    asks: "Write 0 to QueueReady to stop a queue (§4.2.2.2).",
    why: "there is no other way but a reset: what is not stopped is in use, and changing it is told.",
  },
  {
    statements: "mmio030",
    asks: "Ignore undefined bits of InterruptStatus (§4.2.2.2).",
    why: "no device here sets one; acknowledging one is told.",
  },
  {
    statements: "mmio043",
    asks: "Take a used buffer notification to be for every queue (§4.2.3.4.1).",
    why: "a driver may look at the other queues at another time; used elements that are never read are told.",
  },
  {
    statements: "reserved004",
    asks: "With ACCESS_PLATFORM go through the IOMMU (§6.1).",
    why: "the board has no IOMMU: what the platform grants is all of memory at its physical addresses.",
  },
  {
    statements: "reserved008",
    asks: "With ORDER_PLATFORM use barriers that devices mind (§6.1).",
    why:
      "memory here is one for harts and devices, and harts count fences by what they order in it: that a barrier is " +
      "there is checked, not that it names device accesses too.",
  },
  {
    statements: "reserved011 reserved013",
    asks: "Negotiate SR_IOV before virtual functions are enabled, and accept NOTIF_CONFIG_DATA (§6.1).",
    why: "both are for PCI: no device here may offer them.",
  },
  {
    statements: "reserved027",
    asks: "Accept ANY_LAYOUT where a legacy device offers it (§6.3).",
    why:
      "Linux accepts it for network devices alone, and works: who declines it has to frame requests as of old, and that is checked.",
  },
  {
    statements: "blk002 blk004",
    asks: "Accept FLUSH only to use it, and take the cache for write-back then (§5.2.5.1).",
    why: "a run may end before anything had to be flushed.",
  },
  {
    statements: "blk006 blk007 blk009 blk011 blk050 blk051 blk053 blk054 blk055 blk056 blk057 blk059 blk099",
    asks: "What zoned disks ask (1.3 §5.2.5.1, §5.2.6.1).",
    why: ZONED,
  },
  {
    statements: "blk034 implied:config-change-ignored",
    asks: "Look at capacity again when the configuration has changed (1.3 §5.2.6.1).",
    why: "the text gives no time for it. Try it: `--at=3s,resize=1:32M`.",
  },
  {
    statements: "blk046",
    asks: "Do not take older writes for stable because writeback was set to 0 (§5.2.6.1).",
    why: INSIDE,
  },
  {
    statements: "blk048 blk049",
    asks: "Assume nothing about discarded ranges, or about parts of a request that failed (§5.2.6.1).",
    why: INSIDE,
  },
  {
    statements: "blk102 blk109 console015",
    asks: "Ignore lengths that legacy devices got wrong (§5.2.6.3, §5.3.6.3).",
    why: INSIDE,
  },
  {
    statements: "blk108 blk111 blk112 blk113",
    asks: "How legacy SCSI requests are laid out (§5.2.6.3, §5.2.6.4).",
    why: SCSI,
  },
  {
    statements: "console011",
    asks: "Treat a port with CONSOLE_PORT as a text console (§5.3.6.2.2).",
    why: "what a driver makes of a port stays in the guest.",
  },
  {
    statements: "console012",
    asks: "Answer CONSOLE_PORT with PORT_OPEN (§5.3.6.2.2).",
    why: "the text gives no time for it; an answer with another value than 1, or out of order, is told.",
  },
  {
    statements: "implied:avail-ring-tail",
    asks: "Leave padding behind the available ring alone (§2.7.6).",
    why: "nothing reads it: it may hold what the driver likes.",
  },
  {
    statements: "implied:notify-nothing-new",
    asks: "A notification without a new buffer is a waste (§2.7.13.4).",
    why: "it is allowed; notifying a device that has asked for silence is told.",
  },
  {
    statements: "implied:blk-reserved",
    asks: "The header's reserved field is 0 (§5.2.6).",
    why: "Linux puts a request's priority there, as the legacy interface had it, and every device ignores it.",
  },
  {
    statements: "implied:blk-fua",
    asks: "Flush what was written before power goes (§5.2.6).",
    why: "a run may end where nothing had to be kept.",
  },
  {
    statements: "implied:console-rx-empty",
    asks: "Fill the receiveq once the device is live (§5.3.5).",
    why: "input waits until there is a buffer; a guest that reads none may not want any.",
  },
];

/** The statements of the table with MUST or SHOULD, as rules name them: `mmio016`. */
export function statementNumbers(): string[] {
  return Object.entries(driverStatements).flatMap(([area, ranges]) =>
    ranges.split(" ").flatMap((range) => {
      const [first, last = first] = range.split("-").map(Number) as [number, number?];
      return Array.from({ length: last - first + 1 }, (_, i) => `${area}${String(first + i).padStart(3, "0")}`);
    })
  );
}

/** How many of them at least one rule is about, and how many there are. */
export function statementCoverage(): { readonly checked: number; readonly all: number } {
  const cited = new Set(rules.flatMap(({ statement }) => statementsOf(statement)));
  const numbers = statementNumbers();
  return { checked: numbers.filter((number) => cited.has(number)).length, all: numbers.length };
}

/** Why no rule is about the statement `query`; undefined if one is, or if there is no such statement. */
export function uncheckedStatement(query: string): Unchecked | undefined {
  return unchecked.find(({ statements }) => statementsOf(statements).includes(query));
}
