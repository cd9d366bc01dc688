/**
 * Why a guest stands still: the chain from descriptor over available ring, notification, device, used ring,
 * InterruptStatus, PLIC, mip and mie to the handler is walked, and the first broken link named, with the evidence and
 * what to try next. Where the evidence is open, what is known is said and nobody accused.
 */
import { statusText, virtioStatus } from "../../../devices/virtio/registers.ts";
import { hex } from "../../bits.ts";
import { csrNumber } from "../../isa/csr_names.ts";
import type { HartView } from "../../trace/hart_view.ts";
import { field, WIDTH, wrap } from "../fields.ts";
import { brokenInterrupt, hartText } from "./interrupts.ts";
import { loopOf } from "./loops.ts";
import { chainStall, deviceText, queueText } from "./queues.ts";
import type { Sample } from "./sample.ts";
import { answeredStall, unreadStall, untoldStall } from "./used.ts";
import type { Stall, StallDevice, StallView } from "./view.ts";

/** Why `view` stands still. `samples`: what running harts did last, as far as that was recorded. */
export function explainStall(view: StallView, samples: readonly Sample[] = []): Stall {
  const running = view.harts.filter((hart) => !hart.waiting);
  if (running.length === 0) return waitingStall(view);
  for (const hart of running) {
    const sample = samples.find((one) => one.hart === hart.index);
    const found = sample && loopOf(view, sample);
    if (found !== undefined) return found;
  }
  return {
    link: "open",
    why: "the guest is busy, and nothing that was looked at says what it waits for, if it waits.",
    seen: [...running.map((hart) => hartText(view, hart)), ...deviceTexts(view)],
    next: "let it run longer (--timeout-insns, --timeout), or look where it spends its time with --trace",
  };
}

/** Every hart is in wfi. */
function waitingStall(view: StallView): Stall {
  const raised = view.sources.filter(({ raised }) => raised);
  // What the device has already done comes after what it was never asked to do.
  const broken = chainStall(view) ?? raised.map((source) => brokenInterrupt(view, source)).find((one) => one);
  if (broken !== undefined) return broken;
  const told = untoldStall(view, false) ?? unreadStall(view);
  if (told !== undefined) return told;
  const outstanding = view.devices.filter(({ queues }) => queues.some(({ inFlight }) => inFlight > 0));
  const seen = [...view.harts.map((hart) => hartText(view, hart)), ...deviceTexts(view)];
  const unfinished = view.devices.find(started);
  if (unfinished !== undefined) {
    return {
      link: "device",
      why: `the driver of ${deviceText(unfinished)} stopped half-way: Status is ${
        statusText(unfinished.status)
      }, without DRIVER_OK.`,
      seen,
      next: "follow the driver's probe function to where it waits, and see what it waits for",
    };
  }
  if (view.harts.every((hart) => (hart.csr(csrNumber("mie")!) ?? 0n) === 0n)) {
    return {
      link: "mie",
      why: "every hart waits in wfi with mie 0: no interrupt is enabled that could wake it.",
      seen,
      next: "if the program is over, end it through the test finisher; else enable an interrupt in mie before wfi",
    };
  }
  if (outstanding.length > 0) {
    return {
      link: "outside",
      why: `every hart waits, and what is under way waits for something from outside: ${
        outstanding.map(deviceText).join(", ")
      } ${outstanding.length === 1 ? "has" : "have"} buffers to fill.`,
      seen,
      next: "send it something (keys, packets), or end the program through the test finisher if it is over",
    };
  }
  const last = untoldStall(view, true) ?? answeredStall(view);
  if (last !== undefined) return last;
  return {
    link: "idle",
    why: `every hart waits in wfi and nothing is under way: no request, no timer, no interrupt (${
      view.harts.map(enabledText).join("; ")
    }).`,
    seen,
    next:
      "if the program is over, end it through the test finisher; else look for what should have been started before",
  };
}

/** A driver has begun with a device and not come to the end of the initialisation. */
function started({ status }: StallDevice): boolean {
  return (status & virtioStatus.DRIVER) !== 0 && (status & (virtioStatus.DRIVER_OK | virtioStatus.FAILED)) === 0;
}

function deviceTexts(view: StallView): string[] {
  return view.devices.filter(({ status }) => status !== 0).flatMap((device) => [
    `${deviceText(device)}: Status ${statusText(device.status)}, InterruptStatus ${device.interruptStatus}`,
    ...device.queues.map((queue) => `  ${queueText(view, queue)}`),
  ]);
}

function enabledText(hart: HartView): string {
  return `hart ${hart.index} has mie ${hex(hart.csr(csrNumber("mie")!) ?? 0n)}`;
}

/** A stall in lines, for people. */
export function stallLines({ why, seen, next }: Stall): string[] {
  return [
    ...wrap(`why it is stuck: ${why}`, WIDTH),
    ...seen.flatMap((text) => field("seen", text.trim())),
    ...field("next", `${next}.`),
  ];
}
