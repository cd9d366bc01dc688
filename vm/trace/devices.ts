/**
 * Device trace: what the guest does with its devices and they with it, one line per fact, registers and bits by name.
 *
 * ```text
 * #       step mode pc        symbol              device    event
 *       187467 M    800029aa  vm_set_status+0x6   virtio1   W Status                 = 0x03 ACKNOWLEDGE|DRIVER
 *       187467 M    800029aa  vm_set_status+0x6   virtio1     status +DRIVER
 *       210012 M    800029c6  vm_notify+0xc       virtio1   W QueueNotify            = 0x00 queue 0
 *       210012 M    800029c6  vm_notify+0xc       virtio1     queue 0: available 0 -> 1, 1 new
 * ```
 */
import { hex } from "../bits.ts";
import type {
  EventStream,
  IrqEvent,
  MachineEvent,
  MachineFact,
  MmioEvent,
  TrapEvent,
  ViolationEvent,
  VirtioDeviceEvent,
  VirtqueueEvent,
  WfiEvent,
  Where,
} from "../events.ts";
import { causeName } from "../isa/causes.ts";
import { byteCount, chainLines, chainTotals } from "./chain_text.ts";
import { harmless, painter } from "./colour.ts";
import type { Paint, Painter } from "./colour.ts";
import { privilegeName } from "./record.ts";
import { accessedRegister, registerName, valueText } from "./register_text.ts";
import type { ByteSink } from "./sink.ts";
import { symbolText } from "./symbolizer.ts";
import type { Symbolizer } from "./symbolizer.ts";
import { statusChange, VirtioWatcher } from "./virtio_text.ts";

/** How to write a device trace. */
export interface DeviceTraceOptions {
  /** Names of addresses; without it there is no column for them. */
  readonly symbolize?: Symbolizer | undefined;
  /** With more than one, each line says which. */
  readonly harts?: number | undefined;
  /** For a terminal; plain text otherwise. */
  readonly colour?: boolean | undefined;
}

/** What a device trace shows; `console` and exceptions are in other traces, `trap-return` is an instruction. */
export const deviceFacts = ["mmio", "irq", "trap", "virtqueue", "virtio", "violation", "wfi", "machine"] as const;

const STEP_WIDTH = 12;
const SYMBOL_WIDTH = 28;
const DEVICE_WIDTH = 9;
const REGISTER_WIDTH = 22;
/** Characters gathered before they are handed on. */
const BUFFER = 1 << 16;

/** One line's right half, in pieces that are painted. */
type Piece = string | readonly [text: string, paint: Paint];

/** Writes the device trace of a run to a sink. */
export class DeviceTrace {
  readonly #sink: ByteSink;
  readonly #options: DeviceTraceOptions;
  readonly #paint: Painter;
  readonly #virtio = new VirtioWatcher();
  readonly #encoder = new TextEncoder();
  #text = "";
  /** Device and step of the last access shown. */
  #shown = "";
  /** Steps skipped by idling when each hart began to wait. */
  readonly #idle = new Map<number, number>();

  /** Writes to `sink`; the header line comes with the first bytes. */
  constructor(sink: ByteSink, options: DeviceTraceOptions = {}) {
    this.#sink = sink;
    this.#options = options;
    this.#paint = painter(options.colour ?? false);
    const hart = this.#several ? " hart" : "";
    const symbol = options.symbolize === undefined ? "" : `${"symbol".padEnd(SYMBOL_WIDTH)} `;
    const columns = `#${hart}${"step".padStart(STEP_WIDTH - 1)} mode pc        ${symbol}`;
    this.#text = `${this.#paint(`${columns}${"device".padEnd(DEVICE_WIDTH)} event`, "quiet")}\n`;
  }

  /** Listens to everything it shows; the returned function ends that. */
  attach(events: EventStream): () => void {
    const ends = deviceFacts.map((kind) => events.on(kind, (fact, where) => this.fact(fact, where)));
    return () => ends.forEach((end) => end());
  }

  /** Writes one fact; kinds that a device trace does not show are left out. */
  fact(fact: MachineFact, where: Where): void {
    switch (fact.kind) {
      case "mmio":
        return this.#mmio(fact, where);
      case "irq":
        return this.#irq(fact, where);
      case "trap":
        return this.#trap(fact, where);
      case "virtqueue":
        return this.#virtqueue(fact, where);
      case "virtio":
        return this.#virtioDevice(fact, where);
      case "violation":
        return this.#violation(fact, where);
      case "wfi":
        return this.#wfi(fact, where);
      case "machine":
        return this.#machine(fact, where);
    }
  }

  /** Hands everything that is still buffered to the sink. */
  flush(): void {
    if (this.#text !== "") this.#sink.write(this.#encoder.encode(this.#text));
    this.#text = "";
  }

  #mmio(fact: MmioEvent, where: Where): void {
    const found = accessedRegister(fact);
    const name = registerName(fact, found).padEnd(REGISTER_WIDTH);
    const meaning = this.#virtio.explain(fact, found?.def.name ?? "");
    const value = meaning === undefined ? valueText(fact, found) : `${hex(fact.value, 2)} ${meaning}`.trimEnd();
    const device = fact.device?.name ?? "nothing";
    this.#shown = `${device} ${where.steps}`;
    this.#line(where, device, [
      fact.write ? ["W", "write"] : ["R", "read"],
      ` ${name} = `,
      fact.value < 0 ? [value, "bad"] : value,
    ]);
  }

  #irq(fact: IrqEvent, where: Where): void {
    if (fact.source === 0) return this.#fact(where, "plic", ["nothing to claim", "irq"]);
    const source = `interrupt ${fact.source}${fact.device === undefined ? "" : ` (${fact.device})`}`;
    // Contexts are numbered M then S of each hart, as the board wires them.
    const context = fact.context === undefined
      ? ""
      : ` by context ${fact.context} (hart ${fact.context >> 1} ${(fact.context & 1) === 0 ? "M" : "S"})`;
    this.#fact(where, "plic", [`${source} ${fact.step}${context}`, "irq"]);
  }

  #trap(fact: TrapEvent, where: Where): void {
    if (!fact.interrupt) return;
    const symbol = symbolText(this.#options.symbolize, fact.handler);
    const handler = `${hex(fact.handler)}${symbol === undefined ? "" : ` <${symbol}>`}`;
    const modes = `${privilegeName(fact.from)} -> ${privilegeName(fact.to)}`;
    const taken = `${causeName(true, fact.cause)} taken`;
    this.#fact(where, `hart${where.hart}`, [taken, "irq"], `, ${modes} ${handler}`);
  }

  #virtqueue(fact: VirtqueueEvent, where: Where): void {
    const say = (text: string, paint?: Paint) =>
      this.#fact(where, fact.device, `queue ${fact.queue}: `, paint === undefined ? text : [text, paint]);
    switch (fact.step) {
      case "notified":
        // The write that says the same has just been shown.
        return this.#shown === `${fact.device} ${where.steps}` ? undefined : say(`notified with ${hex(fact.value, 2)}`);
      case "available": {
        const count = (fact.to - fact.from) & 0xffff;
        return say(`available ${fact.from} -> ${fact.to}, ${count} new`);
      }
      case "chain":
        say(`chain ${fact.head} at position ${fact.position}, ${chainTotals(fact.descriptors)}`);
        for (const line of chainLines(fact.descriptors)) this.#drawn(line);
        return;
      case "used": {
        const batch = fact.buffers === undefined ? "" : `, the last of ${fact.buffers} buffers`;
        return say(
          `used ${fact.head} at position ${fact.position}, ${byteCount(fact.written)} written${batch}`,
          "good",
        );
      }
      case "interrupt":
        return say(`interrupt ${fact.sent ? "sent" : "suppressed"} (${harmless(fact.reason)})`, "irq");
      case "configured":
        return say(
          `started with ${fact.size} descriptors: ${fact.format === "packed" ? "packed ring" : "table"} ` +
            `${hex(fact.desc, 8)}, driver area ${hex(fact.driver, 8)}, ` +
            `device area ${hex(fact.device_area, 8)}`,
          "good",
        );
      case "stopped":
        return say("stopped");
    }
  }

  #virtioDevice(fact: VirtioDeviceEvent, where: Where): void {
    const say = (text: string, paint?: Paint) =>
      this.#fact(where, fact.device, paint === undefined ? text : [text, paint]);
    switch (fact.step) {
      case "status":
        return say(`status ${statusChange(fact.from, fact.to) || "unchanged"}`);
      case "reset":
        return say("reset");
      case "features":
        say(`features ${fact.ok ? "accepted" : "refused"}: ${this.#virtio.features(fact.device, fact.accepted)}`);
        return this.#unused(fact.device, fact.offered & ~fact.accepted);
      case "config-changed":
        return say(`configuration changed, generation ${fact.generation}`);
      case "needs-reset":
        return say(`DEVICE_NEEDS_RESET: ${harmless(fact.reason)}`, "bad");
      case "request":
        return say(`queue ${fact.queue}: request ${fact.head}: ${harmless(fact.text)}`, "good");
      case "chaos":
        return say(`chaos ${fact.chaos}: ${fact.text}`, "quiet");
    }
  }

  #unused(device: string, features: bigint): void {
    if (features !== 0n) this.#drawn(`offered, not accepted: ${this.#virtio.features(device, features)}`);
  }

  #violation(fact: ViolationEvent, where: Where): void {
    const text = `violation ${fact.id}: ${harmless(fact.what)} (${fact.spec})`;
    this.#fact(where, fact.device, [text, "bad"]);
  }

  #wfi(fact: WfiEvent, where: Where): void {
    const idle = where.now - where.steps;
    if (fact.step === "wait") {
      this.#idle.set(where.hart, idle);
      return this.#fact(where, `hart${where.hart}`, "waits for an interrupt");
    }
    const skipped = idle - (this.#idle.get(where.hart) ?? idle);
    this.#fact(where, `hart${where.hart}`, skipped > 0 ? `goes on, ${skipped} steps of time later` : "goes on");
  }

  #machine(fact: MachineEvent, where: Where): void {
    const code = fact.step === "fail" ? ` with code ${fact.code}` : "";
    this.#fact(where, "machine", [`${fact.step}${code}`, fact.step === "fail" ? "bad" : "good"]);
  }

  get #several(): boolean {
    return (this.#options.harts ?? 1) > 1;
  }

  /** What a device did, set in from what the guest did to it (`R` and `W`). */
  #fact(where: Where, device: string, ...pieces: readonly Piece[]): void {
    this.#line(where, device, ["  ", ...pieces]);
  }

  #line(where: Where, device: string, pieces: readonly Piece[]): void {
    const hart = this.#several ? String(where.hart).padStart(5) : "";
    const step = `${hart}${String(where.steps).padStart(STEP_WIDTH)}`;
    const pc = where.pc.toString(16).padStart(where.pc > 0xffff_ffffn ? 16 : 8, "0");
    const symbol = this.#options.symbolize && (symbolText(this.#options.symbolize, where.pc) ?? "");
    const place = symbol === undefined ? "" : `${this.#paint(symbol.padEnd(SYMBOL_WIDTH), "place")} `;
    const left = `${this.#paint(`${step} ${privilegeName(where.privilege)}    ${pc}`, "quiet")}  ${place}`;
    const right = pieces.map((piece) => typeof piece === "string" ? piece : this.#paint(...piece)).join("");
    this.#add(`${left}${this.#paint(device.padEnd(DEVICE_WIDTH), "device")} ${right}`);
  }

  /** A line that goes on below the one before. */
  #drawn(text: string): void {
    const symbol = this.#options.symbolize === undefined ? 0 : SYMBOL_WIDTH + 1;
    const indent = (this.#several ? 5 : 0) + STEP_WIDTH + 16 + symbol + DEVICE_WIDTH + 5;
    this.#add(`${" ".repeat(indent)}${text}`);
  }

  #add(line: string): void {
    this.#text += `${line}\n`;
    if (this.#text.length > BUFFER) this.flush();
  }
}
