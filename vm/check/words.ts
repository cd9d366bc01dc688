/** The words of reports, for who has not read the specification: what each of them means, in a sentence. */
import { fields } from "./fields.ts";

/** A word, how it is recognised in a text, and what it means. */
interface Word {
  readonly name: string;
  readonly found: RegExp;
  readonly means: string;
}

/** Every word, those first that others build on. */
export const words: readonly Word[] = [
  {
    name: "queue",
    found: /\bqueues?\b/i,
    means: "a virtqueue: memory through which driver and device hand buffers to each other",
  },
  {
    name: "descriptor",
    found: /descriptor/i,
    means:
      "16 bytes that tell the device of one buffer: address, length, flags. NEXT links it to another descriptor; " +
      "WRITE says that the device writes the buffer, else it only reads it",
  },
  {
    name: "chain",
    found: /\bchains?\b|\bheads?\b/i,
    means: "descriptors linked by NEXT, which make up one request; it is named by its first one, the head",
  },
  {
    name: "available ring",
    found: /available (ring|idx|index)|\bavail(able)?\b/i,
    means:
      "where the driver lists the chains that the device may take; idx counts all that were ever put there, in 16 " +
      "bits, and idx % size is the next place. To put one there is to make it available",
  },
  {
    name: "used ring",
    found: /\bused (ring|idx|index|element)|in the used\b|used buffer/i,
    means:
      "where the device lists the chains that it is done with, and how many bytes it wrote; the driver only reads it",
  },
  {
    name: "in flight",
    found: /in flight|device still (has|had)|while the device had/i,
    means: "made available and not yet used, that is given back: the device may touch it at any moment",
  },
  {
    name: "indirect table",
    found: /indirect/i,
    means: "a list of descriptors in memory of its own, to which one descriptor with the flag INDIRECT points",
  },
  {
    name: "packed ring",
    found: /\bpacked\b|wrap counter|Buffer ID|desc_event/i,
    means:
      "the other form of a queue: one ring of descriptors that both sides write. The flags AVAIL and USED say whether an " +
      "entry is available (to the device) or used (given back), against a wrap counter, a bit that turns over at every " +
      "round",
  },
  {
    name: "notify",
    found: /notif/i,
    means: "to write the number of a queue to QueueNotify, by which the device learns that something is available",
  },
  {
    name: "Status",
    found: /\bStatus\b(?! byte)|FEATURES_OK|DRIVER_OK|\bstatus bit/,
    means:
      "register that says how far the driver is: ACKNOWLEDGE 1, DRIVER 2, FEATURES_OK 8, DRIVER_OK 4, one after the " +
      "other; FAILED 0x80: the driver gave up; DEVICE_NEEDS_RESET 0x40: the device did; writing 0 resets the device",
  },
  {
    name: "feature",
    found: /\bfeatures?\b|_F_[A-Z]/i,
    means:
      "something optional, a bit: the device offers it (DeviceFeatures), the driver accepts it (DriverFeatures), and " +
      "what both want is negotiated",
  },
  {
    name: "legacy",
    found: /\blegacy\b|QueuePFN/i,
    means:
      "the interface from before virtio 1.0: Version reads 1, and queues are handed over by page number (QueuePFN)",
  },
  {
    name: "QueueReady",
    found: /QueueReady|handed over/,
    means:
      "register by which the driver hands the selected queue (QueueSel) over to the device: 1, and takes it back: 0",
  },
  {
    name: "configuration",
    found: /configuration|config\./i,
    means: "what a type of device tells of itself, from offset 0x100 on, such as the capacity of a disk; " +
      "ConfigGeneration counts its changes",
  },
  {
    name: "InterruptStatus",
    found: /InterruptStatus|InterruptACK/,
    means: "register that says why the device interrupts: 1 it has used buffers, 2 its configuration changed; bits " +
      "written to InterruptACK go out there",
  },
  {
    name: "PLIC",
    found: /PLIC/,
    means:
      "the board's interrupt controller. It passes the interrupt of a source (a device) on to a context (a hart in a " +
      "mode) if its priority is above the context's threshold; the handler reads the number (claim) and writes it back " +
      "(complete)",
  },
  {
    name: "event index",
    found: /used_event|avail_event|EVENT_IDX/,
    means: "with VIRTIO_F_EVENT_IDX each side says at which entry it wants to hear of the other: the driver in " +
      "used_event, the device in avail_event",
  },
  {
    name: "barrier",
    found: /barrier|\bfence\b/i,
    means: "an instruction (fence): what is stored or loaded before it is seen by others before what comes after it",
  },
  {
    name: "mie, mip",
    found: /\bm(ie|ip)\b|\bsie\b/,
    means:
      "registers of a hart: mip has the interrupts that are asked for, mie those that it takes; sie is mie's part " +
      "for S-mode",
  },
];

/** Words that are told at once: who needs more is better served by docs/RULES.md. */
const WORDS_MAX = 6;

/** Words of split queues. */
const SPLIT_ONLY: readonly string[] = ["available ring", "used ring"];

/** The words in `texts`, those in the first of them before others; not those in `known`. */
export function wordsIn(texts: readonly string[], known: ReadonlySet<string> = new Set()): readonly Word[] {
  const found = new Set(texts.flatMap((text) => words.filter((word) => word.found.test(text))));
  // A packed queue has neither of the two rings: there only its entries are available and used.
  if ([...found].some(({ name }) => name === "packed ring")) {
    for (const word of found) if (SPLIT_ONLY.includes(word.name)) found.delete(word);
  }
  const told = new Set([...found].filter(({ name }) => !known.has(name)).slice(0, WORDS_MAX));
  return words.filter((word) => told.has(word));
}

/** What words mean, in lines. */
export function wordLines(told: readonly Word[]): string[] {
  if (told.length === 0) return [];
  return ["what the words mean:", ...fields(Object.fromEntries(told.map(({ name, means }) => [name, means])), 19)];
}
