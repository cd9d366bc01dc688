import type { CharPort } from "../char_port.ts";
import { ConfigSpace } from "./config.ts";
import {
  ConsoleControl,
  CONTROL_RECEIVEQ,
  CONTROL_TRANSMITQ,
  type ControlMessage,
  VirtioConsoleEvent,
} from "./console_control.ts";
import { ConsolePort, type PortDriver } from "./console_port.ts";
import type { QueueDef, VirtioDevice, VirtioTransport } from "./device.ts";
import { featureBit, type FeatureSet, featureSet } from "./feature_set.ts";
import type { FeatureSwitch, SwitchesOf } from "./offered.ts";

const ID = 3;

const CONSOLE_F = {
  SIZE: featureBit(ID, "VIRTIO_CONSOLE_F_SIZE"),
  MULTIPORT: featureBit(ID, "VIRTIO_CONSOLE_F_MULTIPORT"),
  EMERG_WRITE: featureBit(ID, "VIRTIO_CONSOLE_F_EMERG_WRITE"),
} as const;

/** Names of the features of a console that can be switched. */
export type ConsoleSwitchName = "size" | "multiport" | "emerg_write";

/** Every feature of a console. */
export const consoleSwitches: readonly FeatureSwitch<ConsoleSwitchName>[] = [
  { name: "size", feature: "VIRTIO_CONSOLE_F_SIZE", default: true, what: "columns and rows" },
  {
    name: "multiport",
    feature: "VIRTIO_CONSOLE_F_MULTIPORT",
    default: false,
    what: "several ports and messages about them; on with port and max-ports",
  },
  {
    name: "emerg_write",
    feature: "VIRTIO_CONSOLE_F_EMERG_WRITE",
    default: true,
    what: "output without a driver, by a register",
  },
];

/** Most ports of a console: two queues each, beside the two of the control messages. */
export const CONSOLE_PORTS_MAX = 31;

/** A port beside port 0. */
export interface ConsolePortOptions {
  /** Where its bytes come from and go to. */
  readonly port: CharPort;
  /** What a guest finds it by; absent: no name. */
  readonly name?: string;
  /** Whether a guest should put a text console on it; default: not. */
  readonly console?: boolean;
}

/** How a console is built. */
export interface ConsoleOptions {
  /** Where the bytes of port 0 come from and go to. */
  readonly port: CharPort;
  /** Name of port 0, with several ports. */
  readonly name?: string;
  /** Size in characters; default 80 by 25. */
  readonly cols?: number;
  /** Height in characters. */
  readonly rows?: number;
  /** QueueNumMax of its queues; default 128. */
  readonly queueSize?: number;
  /** Ports 1 and up. */
  readonly ports?: readonly ConsolePortOptions[];
  /** Most ports at a time, 1 to 31; default: those that are there. */
  readonly maxPorts?: number;
  /** Features to offer or not, where it is not the default. MULTIPORT is, if there can be more than port 0. */
  readonly features?: SwitchesOf<ConsoleSwitchName>;
  /**
   * What comes first in a RESIZE message. The text has columns up to virtio 1.4; Linux and the text's later correction
   * have rows. Default: rows.
   */
  readonly resizeOrder?: "rows" | "columns";
}

/** Console (virtio 1.2 §5.3) over {@linkcode CharPort}s: one, or with MULTIPORT as many as there is room for. */
export class VirtioConsole implements VirtioDevice, PortDriver {
  readonly id: number = ID;
  readonly name = "console";
  readonly features: FeatureSet;
  /** `receiveq` and `transmitq`; with MULTIPORT two for control messages and two for each further port. */
  readonly queues: readonly QueueDef[];
  /** Size, number of ports, emergency write (virtio 1.2 §5.3.4). */
  readonly config: ConfigSpace;
  readonly #options: ConsoleOptions;
  readonly #maxPorts: number;
  readonly #ports: (ConsolePort | undefined)[] = [];
  #transport!: VirtioTransport;
  #control!: ConsoleControl;
  /** The driver has said DEVICE_READY. */
  #ready = false;

  /**
   * A console.
   *
   * @throws if there are more ports than it can have
   */
  constructor(options: ConsoleOptions) {
    const { ports = [], features: asked = {}, queueSize: sizeMax = 128 } = options;
    const maxPorts = options.maxPorts ?? ports.length + 1;
    if (!(Number.isInteger(maxPorts) && maxPorts > ports.length && maxPorts <= CONSOLE_PORTS_MAX)) {
      const least = ports.length + 1;
      throw new RangeError(`virtio console: at most ${maxPorts} ports, expected ${least}..${CONSOLE_PORTS_MAX}`);
    }
    const multiport = asked.multiport ?? (options.maxPorts !== undefined || ports.length > 0);
    if (!multiport && maxPorts > 1) throw new RangeError("virtio console: more than one port needs multiport");
    this.#options = options;
    this.#maxPorts = maxPorts;
    const on = { size: true, emerg_write: true, ...asked, multiport };
    this.features = featureSet(ID, ...consoleSwitches.filter(({ name }) => on[name]).map(({ feature }) => feature));
    this.queues = multiport ? multiportQueues(maxPorts, sizeMax) : pair("", sizeMax);
    this.config = new ConfigSpace([
      { name: "cols", offset: 0, size: 2, feature: CONSOLE_F.SIZE },
      { name: "rows", offset: 2, size: 2, feature: CONSOLE_F.SIZE },
      { name: "max_nr_ports", offset: 4, size: 4, feature: CONSOLE_F.MULTIPORT },
      // §5.3.5.1: can be written even on an unconfigured device.
      { name: "emerg_wr", offset: 8, size: 4, feature: CONSOLE_F.EMERG_WRITE, writable: true, anytime: true },
    ], (_, byte) => this.#emergencyWrite(byte));
    this.config.set("cols", options.cols ?? 80);
    this.config.set("rows", options.rows ?? 25);
    if (multiport) this.config.set("max_nr_ports", maxPorts);
    this.config.generation = 0;
  }

  attach(transport: VirtioTransport): void {
    this.#transport = transport;
    this.#control = new ConsoleControl(transport, (message) => this.#handle(message));
    const { port, name, ports = [] } = this.#options;
    this.#insert(0, { port, console: true, ...(name !== undefined && { name }) });
    ports.forEach((options, i) => this.#insert(i + 1, options));
  }

  /** The console has another size now: the driver is notified (virtio 1.2 §5.3.6). */
  resize(cols: number, rows: number): void {
    const { generation } = this.config;
    this.config.set("cols", cols);
    this.config.set("rows", rows);
    if (this.config.generation === generation) return;
    this.#transport.configChanged();
    const port = this.#ports[0];
    if (port?.ready) this.#sendSize(port);
  }

  /** Numbers of the ports there are. */
  get portIds(): number[] {
    return this.#ports.flatMap((port) => port?.id ?? []);
  }

  /**
   * Adds a port and announces it, where the driver knows of ports; returns its number, the lowest that is free.
   *
   * @throws {RangeError} if there is no room for one
   */
  addPort(options: ConsolePortOptions): number {
    let id = 0;
    while (this.#ports[id] !== undefined) id++;
    if (id >= this.#maxPorts) throw new RangeError(`virtio console: there are ${this.#maxPorts} ports, no more fit`);
    const port = this.#insert(id, options);
    if (this.#ready) this.#announce(port);
    return id;
  }

  /**
   * Removes a port, and tells the driver. What the guest still sends to it is lost.
   *
   * @throws {RangeError} if there is no such port
   */
  removePort(id: number): void {
    const port = this.#ports[id];
    if (port === undefined) throw new RangeError(`virtio console: there is no port ${id}`);
    const { announced } = port;
    this.#ports[id] = undefined;
    const untold = this.#control.awaits(id, VirtioConsoleEvent.DEVICE_ADD);
    this.#control.forget(id);
    port.release();
    port.port.guestOpened?.(false);
    // §5.3.6.2.1: no DEVICE_REMOVE of what was not added.
    if (announced && !untold) this.#control.send({ id, event: VirtioConsoleEvent.DEVICE_REMOVE, value: 0 });
  }

  start(): void {}

  process(index: number): void {
    if (index === CONTROL_RECEIVEQ) return this.#control.process();
    if (index === CONTROL_TRANSMITQ) return this.#control.receive();
    const port = this.#ports[portOf(index)];
    if (isReceiveq(index)) port?.receive();
    else if (port !== undefined) port.transmit();
    else this.#discard(index);
  }

  queueStopped(index: number): void {
    if (index === CONTROL_RECEIVEQ) this.#control.stopSending();
    else if (index === CONTROL_TRANSMITQ) this.#control.stopReceiving();
    else if (isReceiveq(index)) this.#ports[portOf(index)]?.stopReceiving();
  }

  reset(): void {
    this.#ready = false;
    this.#control.stop();
    for (const port of this.#ports) {
      if (port?.guestOpen) port.port.guestOpened?.(false);
      port?.stop();
    }
  }

  #insert(id: number, { port: host, name, console = false }: ConsolePortOptions): ConsolePort {
    const place = { id, receiveq: id === 0 ? 0 : 2 * id + 2, transmitq: id === 0 ? 1 : 2 * id + 3 };
    const options = { ...place, port: host, console, ...(name !== undefined && { name }) };
    const port = new ConsolePort(options, this.#transport, this);
    this.#ports[id] = port;
    const there = (): boolean => this.#ports[id] === port;
    host.onReadable(() => there() && port.readable());
    host.onChange?.(() => {
      if (!there()) return;
      port.changed();
      if (port.ready) this.#tellOpen(port);
    });
    return port;
  }

  /** Whether there are control messages. */
  get multiport(): boolean {
    return this.#transport.negotiated.has(CONSOLE_F.MULTIPORT);
  }

  /** Whether the driver has said DEVICE_READY, be it that it is not heeded yet. */
  get saidReady(): boolean {
    return this.#ready || this.#control.hasHeard(VirtioConsoleEvent.DEVICE_READY, 1);
  }

  /** What the driver says about a port (§5.3.6.2). */
  #handle({ id, event, value }: ControlMessage): void {
    if (event === VirtioConsoleEvent.DEVICE_READY) {
      // 0: the driver could not set itself up; it asks for nothing more.
      this.#ready = value === 1;
      if (this.#ready) { for (const port of this.#ports) if (port !== undefined) this.#announce(port); }
      return;
    }
    if (event !== VirtioConsoleEvent.PORT_READY && event !== VirtioConsoleEvent.PORT_OPEN) {
      return this.#transport.violation("console-control", `event ${event} is not for the driver to send`);
    }
    if (!this.#ready) {
      return this.#transport.violation("console-control-order", `event ${event} for port ${id} before DEVICE_READY`);
    }
    const port = this.#ports[id];
    if (!port?.announced) {
      return this.#transport.violation("console-control-port", `event ${event} for port ${id}, which was not added`);
    }
    if (event === VirtioConsoleEvent.PORT_READY) this.#portReady(port, value === 1);
    else {
      this.#checkOpen(port, value);
      port.guestOpen = value !== 0;
      port.port.guestOpened?.(port.guestOpen);
      port.receive();
    }
  }

  /** §5.3.6.2.2: a port is opened once it is ready, and CONSOLE_PORT is answered with the value 1. */
  #checkOpen(port: ConsolePort, value: number): void {
    if (!port.ready) {
      this.#transport.violation("console-control-order", `PORT_OPEN ${value} of port ${port.id} before PORT_READY`);
    } else if (value > 1 || (value === 0 && port.console && !port.answered)) {
      this.#transport.violation("console-open-value", `PORT_OPEN ${value} of port ${port.id}`);
    }
    port.answered = true;
  }

  /** §5.3.6.2.1: a port that exists for the driver is not added again. */
  #announce(port: ConsolePort): void {
    if (port.announced) return;
    port.announced = true;
    this.#control.send({ id: port.id, event: VirtioConsoleEvent.DEVICE_ADD, value: 0 });
  }

  /** The driver has made a port ready, or could not: tells what there is to know of it. */
  #portReady(port: ConsolePort, ready: boolean): void {
    port.ready = ready;
    if (!ready) return;
    const { id } = port;
    const { CONSOLE_PORT, PORT_NAME } = VirtioConsoleEvent;
    if (port.console) this.#control.send({ id, event: CONSOLE_PORT, value: 1 });
    if (port.name !== undefined) {
      this.#control.send({ id, event: PORT_NAME, value: 1, data: new TextEncoder().encode(port.name) });
    }
    port.hostOpen = false;
    this.#tellOpen(port);
    if (id === 0) this.#sendSize(port);
  }

  /** Tells whether somebody is at the host's end, if that is news. */
  #tellOpen(port: ConsolePort): void {
    const open = port.port.connected ?? true;
    if (open === port.hostOpen) return;
    port.hostOpen = open;
    this.#control.send({ id: port.id, event: VirtioConsoleEvent.PORT_OPEN, value: open ? 1 : 0 });
  }

  #sendSize({ id, console }: ConsolePort): void {
    if (!console || !this.#transport.negotiated.has(CONSOLE_F.SIZE)) return;
    const [cols, rows] = [this.config.get("cols"), this.config.get("rows")];
    const data = new Uint8Array(4);
    const view = new DataView(data.buffer);
    const order = this.#options.resizeOrder === "columns" ? [cols, rows] : [rows, cols];
    order.forEach((value, i) => view.setUint16(2 * i, value, true));
    this.#control.send({ id, event: VirtioConsoleEvent.RESIZE, value: 0, data });
  }

  /** What is sent to a port that is not there goes nowhere. */
  #discard(index: number): void {
    const queue = this.#transport.queue(index);
    for (let chain = queue.pop(); chain !== undefined; chain = queue.pop()) {
      const taken = chain;
      this.#transport.request(index, taken.head, () => `${taken.readableLength} bytes to a port that is not there`);
      this.#transport.complete(index, () => this.#transport.queue(index).push(taken, 0));
    }
  }

  /** §5.3.5.1: the low byte goes to the output. A driver that writes single bytes means the first one. */
  #emergencyWrite(byte: number): void {
    if (byte === 0) this.#ports[0]?.out(Uint8Array.of(this.config.get("emerg_wr") & 0xff));
  }
}

/** Port 0 has queues 0 and 1, port n has 2n + 2 and 2n + 3 (§5.3.2). */
function portOf(queue: number): number {
  return queue < 2 ? 0 : (queue - 2) >> 1;
}

function isReceiveq(queue: number): boolean {
  return queue % 2 === 0;
}

function pair(port: string, sizeMax: number, feature?: number): QueueDef[] {
  const extra = feature === undefined ? {} : { feature };
  return [{ name: `receiveq${port}`, sizeMax, ...extra }, { name: `transmitq${port}`, sizeMax, ...extra }];
}

/** §5.3.2: only the queues of port 0 exist without MULTIPORT. */
function multiportQueues(maxPorts: number, sizeMax: number): QueueDef[] {
  const feature = CONSOLE_F.MULTIPORT;
  return [
    ...pair("(port0)", sizeMax),
    { name: "control receiveq", sizeMax, feature },
    { name: "control transmitq", sizeMax, feature },
    ...Array.from({ length: maxPorts - 1 }, (_, i) => pair(`(port${i + 1})`, sizeMax, feature)).flat(),
  ];
}
