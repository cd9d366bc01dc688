/**
 * A run on a time line, as trace events in JSON that Perfetto and Chrome show: requests of each virtqueue from the moment
 * the driver exposes them to their completion, with who wrote each descriptor; interrupt lines and their claims; traps
 * and waits of the harts. One microsecond of the picture is a thousand instructions (or as much idle time).
 *
 * Events are written as they come; what is kept is bounded by the queues' sizes.
 */
import { hex } from "../bits.ts";
import type { EventStream, IrqEvent, TrapEvent, VirtqueueEvent, Where } from "../events.ts";
import { causeName } from "../isa/causes.ts";
import { type WatchedAccess, WatchKind, type WatchRange } from "../watches.ts";
import type { ByteSink } from "./sink.ts";
import { type Symbolizer, symbolText } from "./symbolizer.ts";

/** Characters gathered before they are handed on. */
const BUFFER = 1 << 16;
/** Steps to a microsecond of the picture. */
const STEPS_PER_US = 1000;
/** Groups of tracks. */
const HARTS = 1;
const INTERRUPTS = 2;
/** Tracks of claims are numbered from here on, above every source of a PLIC (plic §2). */
const CLAIMS = 1024;
const DEVICES = 10;
/** Handlers within handlers that are shown. */
const DEPTH_MAX = 64;
/** Descriptors of a request that are listed. */
const LISTED_MAX = 64;

type Fields = Readonly<Record<string, unknown>>;

/** When and where something was done. */
interface Place {
  readonly now: number;
  readonly pc: bigint;
}

/** A request between exposure and completion. */
interface Request {
  readonly head: number;
  readonly id: number;
  readonly exposed: Place;
  readonly args: Fields;
  text: string;
}

/** One queue while it is handed over. */
interface Queue {
  readonly device: string;
  readonly layout: Extract<VirtqueueEvent, { step: "configured" }>;
  readonly ranges: readonly WatchRange[];
  /** By descriptor. */
  readonly writers: (Place | undefined)[];
  /** By entry of the available ring, or by descriptor of a packed one. */
  readonly exposed: (Place | undefined)[];
  readonly requests: Map<number, Request>;
  idx: number;
}

/** Writes a time line. */
export class Timeline {
  readonly #sink: ByteSink;
  readonly #symbolize: Symbolizer | undefined;
  readonly #encoder = new TextEncoder();
  readonly #queues = new Map<string, Queue>();
  readonly #named = new Set<string>();
  readonly #devices: string[] = [];
  /** Depth of handlers, and since when it waits, by hart. */
  readonly #depth: number[] = [];
  readonly #waiting: (number | undefined)[] = [];
  /** Since when a line is up, and a source claimed. */
  readonly #raised = new Map<number, number>();
  readonly #claimed = new Map<number, number>();
  #events: EventStream | undefined;
  #text = '{"displayTimeUnit":"ns","traceEvents":[\n';
  #first = true;
  #ids = 0;
  /** The latest moment, and what the machine's resets have taken from its clock. */
  #last = 0;
  #before = 0;
  #ended = false;

  constructor(sink: ByteSink, symbolize?: Symbolizer) {
    this.#sink = sink;
    this.#symbolize = symbolize;
  }

  /** Listens to what it shows. */
  attach(events: EventStream): void {
    this.#events = events;
    events.watches.on((access, where) => this.#access(access, where));
    events.on("virtqueue", (fact, where) => this.#virtqueue(fact, where));
    events.on("virtio", (fact, where) => {
      if (fact.step === "request") {
        const request = this.#queues.get(`${fact.device}.${fact.queue}`)?.requests.get(fact.head);
        if (request !== undefined) request.text = fact.text;
      } else if (fact.step === "status") {
        this.#instant(this.#process(fact.device), STATUS_TRACK, `Status ${hex(fact.to, 2)}`, where);
      }
    });
    events.on("machine", ({ step }) => {
      if (step === "reset") this.#reset();
    });
    events.on("irq", (fact, where) => this.#irq(fact, where));
    events.on("trap", (fact, where) => this.#trap(fact, where));
    events.on("trap-return", (_, where) => {
      const depth = this.#depth[where.hart] ?? 0;
      if (depth === 0) return;
      this.#depth[where.hart] = depth - 1;
      if (depth <= DEPTH_MAX) this.#put({ ph: "E", pid: HARTS, tid: where.hart, ts: this.#us(where.now) });
    });
    events.on("wfi", ({ step }, { hart, now }) => {
      if (step === "wait") {
        this.#waiting[hart] = now;
        return;
      }
      const since = this.#waiting[hart];
      this.#waiting[hart] = undefined;
      this.#hart(hart);
      if (since !== undefined) this.#span(HARTS, hart, "wfi", since, now, {});
    });
  }

  /** Hands over what is gathered. */
  flush(): void {
    if (this.#text === "") return;
    this.#sink.write(this.#encoder.encode(this.#text));
    this.#text = "";
  }

  /** The clock begins anew; the picture goes on. */
  #reset(): void {
    this.#close();
    this.#before += this.#last;
    this.#last = 0;
    this.#raised.clear();
    this.#claimed.clear();
  }

  /** Ends what is not over: requests, handlers that run, harts that wait. */
  #close(): void {
    for (const queue of this.#queues.values()) {
      for (const request of queue.requests.values()) this.#request(queue, request, this.#last, { unfinished: true });
    }
    this.#queues.clear();
    this.#depth.forEach((depth, tid) => {
      for (let open = Math.min(depth, DEPTH_MAX); open > 0; open--) {
        this.#put({ ph: "E", pid: HARTS, tid, ts: this.#us(this.#last) });
      }
    });
    this.#depth.length = 0;
    this.#waiting.forEach((since, hart) => {
      if (since !== undefined) this.#span(HARTS, hart, "wfi", since, this.#last, { unfinished: true });
    });
    this.#waiting.length = 0;
  }

  /** Writes what has no end, and the end. Nothing comes after it. */
  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#close();
    this.#text += "\n]}\n";
    this.flush();
  }

  #access({ write, addr, size, value }: WatchedAccess, { now, pc }: Where): void {
    if (!write) return;
    const place = { now, pc };
    for (const queue of this.#queues.values()) {
      const { layout: { desc, driver, size: entries, format }, writers, exposed } = queue;
      const slot = Math.floor((addr - desc) / 16);
      if (slot >= 0 && slot < entries) {
        writers[slot] = place;
        // Flags come last; of a packed list, those of its first descriptor.
        if (format === "packed" && (addr + size - desc) % 16 === 0) exposed[slot] = place;
      }
      const at = driver + 2 - addr;
      if (format !== "split" || at < 0 || at + 2 > size) continue;
      const idx = Number(BigInt.asUintN(16, value >> BigInt(8 * at)));
      for (let i = 0; queue.idx !== idx && i < entries; i++) {
        exposed[queue.idx % entries] = place;
        queue.idx = (queue.idx + 1) & 0xffff;
      }
      queue.idx = idx;
    }
  }

  #virtqueue(fact: VirtqueueEvent, where: Where): void {
    const key = `${fact.device}.${fact.queue}`;
    if (fact.step === "configured") return this.#configured(key, fact);
    const queue = this.#queues.get(key);
    if (fact.step === "notified") return this.#instant(this.#queueTrack(fact), fact.queue, "notify", where);
    if (fact.step === "interrupt") {
      const name = fact.sent ? "interrupt" : "no interrupt";
      return this.#instant(this.#queueTrack(fact), fact.queue, name, where, { reason: fact.reason });
    }
    if (queue === undefined) return;
    if (fact.step === "stopped") {
      for (const request of queue.requests.values()) this.#request(queue, request, where.now, { stopped: true });
      this.#queues.delete(key);
      this.#events!.watches.unwatch(queue.ranges);
    } else if (fact.step === "chain") this.#chain(queue, fact, where);
    else if (fact.step === "used") this.#used(queue, fact, where);
  }

  #configured(key: string, fact: Extract<VirtqueueEvent, { step: "configured" }>): void {
    const { desc, driver, size } = fact;
    const old = this.#queues.get(key);
    if (old !== undefined) this.#events!.watches.unwatch(old.ranges);
    const range = (addr: number, length: number): WatchRange => ({ addr, length, kind: WatchKind.Store });
    const ranges = [range(desc, 16 * size), range(driver, 4 + 2 * size)];
    const empty = (): (Place | undefined)[] => new Array<Place | undefined>(size).fill(undefined);
    this.#queues.set(key, {
      device: fact.device,
      layout: fact,
      ranges,
      writers: empty(),
      exposed: empty(),
      requests: new Map(),
      idx: 0,
    });
    this.#events!.watches.watch(ranges);
    this.#queueTrack(fact);
  }

  #chain(queue: Queue, fact: Extract<VirtqueueEvent, { step: "chain" }>, { now, pc }: Where): void {
    const { exposed, writers, layout: { size } } = queue;
    const descriptors = fact.descriptors.slice(0, LISTED_MAX).map(({ index, table, addr, length, flags }) => {
      const writer = table === "ring" ? writers[index] : undefined;
      return {
        index,
        table,
        addr: hex(addr),
        length,
        flags,
        ...(writer !== undefined && { writer: this.#name(writer.pc), written: writer.now }),
      };
    });
    const place = exposed[fact.position % size] ?? { now, pc };
    const unlisted = fact.descriptors.length - descriptors.length;
    const args = {
      head: fact.head,
      exposed_by: this.#name(place.pc),
      taken: now,
      descriptors,
      ...(unlisted > 0 && { unlisted }),
    };
    const { requests } = queue;
    // A driver may not expose a head that is in flight, nor more than the queue holds: the picture stays bounded if it does.
    const gone = requests.get(fact.head) ?? (requests.size >= size ? requests.values().next().value : undefined);
    if (gone !== undefined) {
      this.#request(queue, gone, now, { unfinished: true });
      requests.delete(gone.head);
    }
    requests.set(fact.head, {
      head: fact.head,
      id: ++this.#ids,
      exposed: place,
      args,
      text: `head ${fact.head}`,
    });
  }

  #used(queue: Queue, fact: Extract<VirtqueueEvent, { step: "used" }>, { now }: Where): void {
    const { head, written, buffers = 1 } = fact;
    // A batch names its last buffer; those before it went in their order.
    const heads = buffers === 1 ? [head] : [...queue.requests.keys()].slice(0, buffers);
    for (const one of heads) {
      const request = queue.requests.get(one);
      if (request === undefined) continue;
      this.#request(queue, request, now, { written });
      queue.requests.delete(one);
    }
  }

  #request(queue: Queue, { id, exposed, args, text }: Request, now: number, more: Fields): void {
    const { device, layout: { queue: tid } } = queue;
    const track = { cat: `${device} queue ${tid}`, id, pid: this.#process(device), tid, name: text };
    this.#put({ ph: "b", ...track, ts: this.#us(exposed.now), args: { ...args, ...more } });
    this.#put({ ph: "e", ...track, ts: this.#us(now) });
  }

  #irq({ step, source, device, context }: IrqEvent, { now }: Where): void {
    const name = device ?? `source ${source}`;
    // A claim outlasts the line: spans of one track must lie within each other.
    const ofLine = step === "raised" || step === "lowered";
    const tid = ofLine ? source : source + CLAIMS;
    if (source !== 0) this.#label(INTERRUPTS, "interrupts", tid, ofLine ? name : `${name} in the handler`);
    const [since, begins] = ofLine
      ? [this.#raised, step === "raised"] as const
      : [this.#claimed, step === "claimed"] as const;
    if (begins) {
      since.set(source, now);
      return;
    }
    const start = since.get(source);
    since.delete(source);
    if (start === undefined) return;
    const what = step === "lowered" ? "line up" : `claimed by context ${context}`;
    this.#span(INTERRUPTS, tid, `${name}: ${what}`, start, now, {});
  }

  #trap({ interrupt, cause, epc, handler }: TrapEvent, { hart, now }: Where): void {
    this.#hart(hart);
    const depth = (this.#depth[hart] ?? 0) + 1;
    this.#depth[hart] = depth;
    if (depth > DEPTH_MAX) return;
    const args = { at: this.#name(epc), handler: this.#name(handler) };
    this.#put({ ph: "B", pid: HARTS, tid: hart, ts: this.#us(now), name: causeName(interrupt, cause), args });
  }

  #hart(hart: number): void {
    this.#label(HARTS, "harts", hart, `hart ${hart}`);
  }

  /** The group of a device's tracks. */
  #process(device: string): number {
    let i = this.#devices.indexOf(device);
    if (i < 0) i = this.#devices.push(device) - 1;
    this.#label(DEVICES + i, device, STATUS_TRACK, "status");
    return DEVICES + i;
  }

  #queueTrack({ device, queue }: VirtqueueEvent): number {
    const pid = this.#process(device);
    this.#label(pid, device, queue, `queue ${queue}`);
    return pid;
  }

  /** Names a group of tracks and one of them, once. */
  #label(pid: number, group: string, tid: number, track: string): void {
    const key = `${pid}.${tid}`;
    if (this.#named.has(key)) return;
    this.#named.add(key);
    this.#put({ ph: "M", pid, name: "process_name", args: { name: group } });
    this.#put({ ph: "M", pid, tid, name: "thread_name", args: { name: track } });
  }

  #instant(pid: number, tid: number, name: string, { now, pc }: Where, args: Fields = {}): void {
    this.#put({ ph: "i", s: "t", pid, tid, ts: this.#us(now), name, args: { at: this.#name(pc), ...args } });
  }

  #span(pid: number, tid: number, name: string, from: number, to: number, args: Fields): void {
    this.#put({ ph: "X", pid, tid, ts: this.#us(from), dur: (to - from) / STEPS_PER_US, name, args });
  }

  #us(steps: number): number {
    this.#last = Math.max(this.#last, steps);
    return (this.#before + steps) / STEPS_PER_US;
  }

  #name(pc: bigint): string {
    return symbolText(this.#symbolize, pc) ?? hex(pc);
  }

  #put(event: Fields): void {
    if (this.#ended && this.#queues.size === 0) return;
    this.#text += `${this.#first ? "" : ",\n"}${JSON.stringify(event)}`;
    this.#first = false;
    if (this.#text.length >= BUFFER) this.flush();
  }
}

/** Number of the track of a device's status, above those of queues. */
const STATUS_TRACK = 0x1_0000;
