/** The slips of random drivers: each the name of the rule that it breaks, with the shapes that it can be made in. */
import type { Shape } from "./random_driver.ts";

type Fits = (shape: Shape) => boolean;

const any: Fits = () => true;
const split: Fits = ({ packed }) => !packed;
const packed: Fits = (shape) => shape.packed;
const held: Fits = ({ device }) => device === "held";
const on = (device: Shape["device"]): Fits => (shape) => shape.device === device;
const both = (...fits: readonly Fits[]): Fits => (shape) => fits.every((fit) => fit(shape));
/** Legacy disks want the parts of a request in descriptors of their own, which is another rule. */
const modern: Fits = ({ version }) => version === 2;
const direct: Fits = ({ indirect }) => !indirect;
const indirect: Fits = (shape) => shape.indirect;

/** By the name of the rule. */
export const slips: Readonly<Record<string, Fits>> = {
  "barrier-available": any,
  // Who does not look whether the device wants to be told, and has to tell it.
  "barrier-notify": both(held, split, ({ eventIdx }) => !eventIdx),
  "barrier-suppression": any,
  "barrier-used": any,
  "avail-entry-late": split,
  "avail-idx-back": split,
  "used-ring-written": any,
  "used-read-early": both(held, split),
  "buffer-read-in-flight": held,
  "buffer-written-in-flight": held,
  "descriptor-written-in-flight": held,
  "avail-head-range": split,
  "avail-idx-jump": split,
  "descriptor-address": any,
  "descriptor-order": held,
  "descriptor-empty": held,
  "descriptor-flags": both(split, direct),
  "descriptor-loop": both(split, direct, modern, ({ inOrder }) => !inOrder),
  "descriptor-next-range": both(split, direct),
  "indirect-nested": both(split, indirect),
  "indirect-length": indirect,
  "in-order-next": both(split, direct, ({ inOrder }) => inOrder),
  "packed-id-in-flight": both(packed, held, ({ queues }) => queues === 1),
  "packed-indirect-flags": both(packed, indirect),
  "packed-list-unavailable": both(packed, direct, on("blk")),
  "notify-data": ({ data }) => data,
  "blk-header": both(on("blk"), modern),
  "blk-status": both(on("blk"), modern),
  "blk-type": on("blk"),
  "blk-range": on("blk"),
  "blk-data-length": on("blk"),
  "rng-direction": on("rng"),
  "console-direction": on("console"),
};
