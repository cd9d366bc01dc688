/** Loops that get nowhere: what they read, what interrupts them, what traps in them. */
import { statusText, virtioStatus } from "../../../devices/virtio/registers.ts";
import { findRegister } from "../../bus/register.ts";
import { hex } from "../../bits.ts";
import { causeName } from "../../isa/causes.ts";
import { csrNumber } from "../../isa/csr_names.ts";
import { symbolText } from "../../trace/symbolizer.ts";
import { brokenInterrupt, hartText } from "./interrupts.ts";
import { chainStall, deviceText, queueText } from "./queues.ts";
import type { Sample, SampledLoad, SampledTrap } from "./sample.ts";
import type { Stall, StallDevice, StallPlace, StallQueue, StallSource, StallView } from "./view.ts";

/** How often something must come again in a sample to be a loop of it. */
const AGAIN = 8;

/** What keeps a hart in a loop; undefined where the sample does not show one. */
export function loopOf(view: StallView, sample: Sample): Stall | undefined {
  const trap = sample.traps.find(({ interrupt, times }) => !interrupt && times >= AGAIN);
  const interrupts = sample.traps.filter(({ interrupt }) => interrupt);
  const storm = interrupts.find(({ times }) => times >= AGAIN);
  if (storm !== undefined) return stormStall(view, sample, storm);
  if (sample.loop === undefined) return trap && trapStall(view, sample, trap);
  if (trap !== undefined) return trapStall(view, sample, trap);
  const polled = sample.loads.filter(({ constant, times }) => constant && times >= AGAIN);
  const devices = polled.map((load) => polledDevice(view, sample, load)).filter((one) => one !== undefined);
  // Which register a sample begins with is chance; a handler without end reads several.
  const device = devices.find(({ link }) => link === "storm") ?? devices[0];
  if (device !== undefined) return device;
  const ring = polled.map((load) => polledRing(view, sample, load)).find((one) => one !== undefined);
  if (ring !== undefined) return ring;
  if (sample.unchanging && sample.traps.length === 0) return endlessStall(view, sample, polled[0]);
  return undefined;
}

function placeText({ symbolize }: StallView, pc: bigint): string {
  const symbol = symbolText(symbolize, pc);
  return symbol === undefined ? hex(pc) : `${symbol} (${hex(pc)})`;
}

/** `12 instructions around main+0x10 (0x80000010)`. */
function loopText(view: StallView, { loop = [] }: Sample): string {
  const many = loop.length === 1 ? "one instruction" : `${loop.length} instructions`;
  return `${many} at ${placeText(view, loop[0] ?? 0n)}`;
}

function trapStall(view: StallView, sample: Sample, { cause, epc, tval, times }: SampledTrap): Stall {
  const name = causeName(false, cause);
  return {
    link: "trap",
    why: `hart ${sample.hart} traps again and again at the same instruction: ${name} at ${placeText(view, epc)}.`,
    seen: [
      `${times} times in the last ${sample.steps} instructions; tval ${hex(tval)}`,
      hartText(view, view.harts[sample.hart]!),
    ],
    next: "a handler must mend what trapped, or go on behind it (add its length, 2 or 4, to mepc or sepc)",
  };
}

/** The same interrupt as soon as its handler returns. */
function stormStall(view: StallView, sample: Sample, trap: SampledTrap): Stall | undefined {
  const name = causeName(true, trap.cause);
  const seen = [
    `${trap.times} times in the last ${sample.steps} instructions, at ${placeText(view, trap.epc)}`,
    hartText(view, view.harts[sample.hart]!),
  ];
  const external = trap.cause === 11 || trap.cause === 9;
  if (!external) {
    return {
      link: "storm",
      why:
        `hart ${sample.hart} is interrupted again as soon as it returns: ${name}, whose cause the handler leaves as it is.`,
      seen,
      next: trap.cause === 3 || trap.cause === 1
        ? "clear msip (or sip.SSIP) in the handler"
        : "set the next time (mtimecmp or stimecmp) in the handler, ahead of the time now",
    };
  }
  const source = view.sources.find(({ raised }) => raised);
  if (source === undefined) {
    return {
      link: "storm",
      why: `hart ${sample.hart} is interrupted again and again (${name}), and no device's line is up: ` +
        "the handler does not claim what is pending in the PLIC.",
      seen,
      next: "read claim_complete in the handler until it gives 0, and write each number back",
    };
  }
  return sourceStorm(view, sample, source, seen);
}

/** A source of the PLIC whose line never goes down, whatever the handler does. */
function sourceStorm(view: StallView, sample: Sample, source: StallSource, seen: readonly string[]): Stall {
  const device = view.devices.find((one) => one.source === source.id && one.interruptStatus !== 0);
  return {
    link: "storm",
    why: device === undefined
      ? `hart ${sample.hart} is interrupted by ${source.name} again as soon as it is done: its line stays up.`
      : `hart ${sample.hart} is interrupted by ${
        deviceText(device)
      } again as soon as it is done: InterruptStatus stays ${
        hex(device.interruptStatus)
      }, because InterruptACK is not written.`,
    seen,
    next: device === undefined
      ? "do in the handler what takes the device's reason away (for the UART: read what came, or disable the cause)"
      : "write the bits read from InterruptStatus (0x060) to InterruptACK (0x064) before completing at the PLIC",
  };
}

/** The loop reads a device register that does not change. */
function polledDevice(view: StallView, sample: Sample, load: SampledLoad): Stall | undefined {
  const addr = view.physical(sample.hart, load.addr);
  const place = addr === undefined ? undefined : view.place(addr);
  if (place === undefined) return undefined;
  const register = registerText(place);
  const seen = [`${loopText(view, sample)}; ${register} read ${load.times} times: always ${hex(load.value)}`];
  // A handler that claims until nothing is left, of a source that never is: a storm without a way out of the handler.
  const claimed = register === "plic.claim_complete" && load.value !== 0n
    ? view.sources.find(({ id, raised }) => raised && BigInt(id) === load.value)
    : undefined;
  if (claimed !== undefined) return sourceStorm(view, sample, claimed, seen);
  const device = view.devices.find(({ name }) => name === place.name);
  const broken = device && chainStall({ ...view, devices: [device] });
  if (broken !== undefined) return { ...broken, seen: [...seen, ...broken.seen] };
  const refused = device !== undefined && register.endsWith(".Status") &&
    (device.status & virtioStatus.FEATURES_OK) === 0 &&
    (device.status & virtioStatus.DRIVER) !== 0;
  return {
    link: "poll",
    why: `hart ${sample.hart} reads ${register} again and again, and it is always ${hex(load.value)}.`,
    seen: [
      ...seen,
      ...(device === undefined ? [] : [
        `${deviceText(device)}: Status ${statusText(device.status)}, InterruptStatus ${device.interruptStatus}`,
        ...device.queues.map((queue) => queueText(view, queue)),
      ]),
    ],
    next: refused
      ? "FEATURES_OK stays clear when the device refuses the features: accept only what it offers"
      : "find out which value the loop waits for, and what has to be done first for the device to show it",
  };
}

function registerText({ name, offset, registers, legacy }: StallPlace): string {
  const found = findRegister(registers, offset, legacy);
  return `${name}.${found === undefined ? `+${hex(offset)}` : found.def.name}`;
}

/** The loop reads a ring that its device writes: why does nothing come? */
function polledRing(view: StallView, sample: Sample, load: SampledLoad): Stall | undefined {
  const addr = view.physical(sample.hart, load.addr);
  if (addr === undefined) return undefined;
  for (const device of view.devices) {
    const queue = device.queues.find((one) => inUsed(one, addr));
    if (queue === undefined) continue;
    const seen = [
      `${loopText(view, sample)}; ${load.times} reads of the used side of queue ${queue.index}: always ${
        hex(load.value)
      }`,
    ];
    const broken = chainStall({ ...view, devices: [device] });
    if (broken !== undefined) return { ...broken, seen: [...seen, ...broken.seen] };
    return answered(view, device, queue, seen);
  }
  return undefined;
}

function inUsed({ format, device, desc, size }: StallQueue, addr: number): boolean {
  if (format === "packed") return addr >= desc && addr < desc + 16 * size;
  return addr >= device && addr < device + 6 + 8 * size;
}

/** Everything that was made available is taken. */
function answered(view: StallView, device: StallDevice, queue: StallQueue, seen: readonly string[]): Stall {
  const state = [...seen, queueText(view, queue)];
  const name = `${deviceText(device)}, queue ${queue.index}`;
  if (queue.inFlight > 0) {
    return {
      link: "device",
      why: `the driver polls the used ring of ${name}, and the device still works on ${queue.inFlight} of its buffers.`,
      seen: state,
      next: "wait for it; a request takes 10 µs of the guest's time unless latency= says otherwise",
    };
  }
  return {
    link: "used",
    why:
      `the driver polls the used ring of ${name} for another buffer, and the device has given back all it was given.`,
    seen: state,
    next: "compare what the driver counts as used with used idx: most likely it waits for one more than it asked for",
  };
}

/** Nothing that the loop computes changes, and it reads nothing that a device or another hart could change. */
function endlessStall(view: StallView, sample: Sample, load: SampledLoad | undefined): Stall | undefined {
  const hart = view.harts[sample.hart]!;
  const state = [`${loopText(view, sample)}, the last ${sample.steps} times the same`, hartText(view, hart)];
  const raised = view.sources.filter(({ raised }) => raised);
  const held = chainStall(view) ??
    raised.map((source) => brokenInterrupt(view, source)).find((one) => one !== undefined);
  if (load === undefined) {
    if (held !== undefined) return withState(held, state);
    const deaf = (hart.csr(csrNumber("mie")!) ?? 0n) === 0n;
    const end = deaf ? "nothing can end: no interrupt is enabled" : "only an interrupt could end";
    return {
      link: "loop",
      why: `hart ${sample.hart} is in an endless loop: ${loopText(view, sample)}, which ${end}.`,
      seen: state,
      next:
        "if the program is over, end it through the test finisher; else see how it came here (a panic ends in such a loop)",
    };
  }
  if (held !== undefined) return withState(held, state);
  return {
    link: "poll",
    why: `hart ${sample.hart} waits for memory at ${placeText(view, load.addr)} to change; it is always ${
      hex(load.value)
    }.`,
    seen: state,
    next: "see who is to write it: an interrupt handler (is its interrupt enabled?), another hart, or a device",
  };
}

/** A broken link, with what was seen of the loop before it; nothing twice. */
function withState(stall: Stall, state: readonly string[]): Stall {
  return { ...stall, seen: [...new Set([...state, ...stall.seen])] };
}
