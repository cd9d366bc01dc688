/** The driver's side of a console with several ports, over either format of virtqueues (virtio 1.2 §5.3.6.2). */
import { VirtioConsoleEvent } from "../../devices/virtio/console_control.ts";
import { featureBit } from "../../devices/virtio/feature_set.ts";
import { PackedDriverQueue, RING_PACKED } from "./packed_driver.ts";
import { type DriverQueue, type Part, TestDriver } from "./virtio_driver.ts";

export const CONSOLE_SIZE: number = featureBit(3, "VIRTIO_CONSOLE_F_SIZE");
export const MULTIPORT: number = featureBit(3, "VIRTIO_CONSOLE_F_MULTIPORT");

const NAMES = new Map<number, string>(Object.entries(VirtioConsoleEvent).map(([name, value]) => [value, name]));

/** Room in a buffer for control messages. */
const MESSAGE_ROOM = 64;

/** A driver that has accepted MULTIPORT, with buffers for messages. */
export class ConsoleDriver {
  readonly d: TestDriver;
  readonly #queues = new Map<number, DriverQueue | PackedDriverQueue>();
  /** Buffers for messages, by the driver's name for them. */
  readonly #messages = new Map<number, number>();
  /** Buffers for input, by queue and name. */
  readonly #rooms = new Map<string, number>();

  /** Negotiates, sets up all `queues` and brings `messages` buffers for control messages. */
  constructor(d: TestDriver, queues: number, options: { bits?: number[]; packed?: boolean; messages?: number } = {}) {
    const { bits = [CONSOLE_SIZE, MULTIPORT], packed = false, messages = 16 } = options;
    this.d = d;
    d.negotiate(packed ? [...bits, RING_PACKED] : bits);
    for (let index = 0; index < queues; index++) {
      this.#queues.set(index, packed ? new PackedDriverQueue(d, index, 32) : d.setupQueue(index, 32));
    }
    d.driverOk();
    for (let i = 0; i < messages; i++) this.bringMessageBuffer();
  }

  /** Brings a buffer for a message, `length` bytes long. */
  bringMessageBuffer(length: number = MESSAGE_ROOM): void {
    const addr = this.d.board.alloc(length);
    this.#messages.set(this.post(2, [{ addr, length, write: true }]), addr);
  }

  /** Makes a chain available in queue `index`; the name it gets. */
  post(index: number, parts: readonly Part[]): number {
    return this.#queues.get(index)!.post(parts);
  }

  /** What was used of queue `index`. */
  used(index: number): { id: number; length: number }[] {
    return this.#queues.get(index)!.collect().map(({ id, length = 0 }) => ({ id, length }));
  }

  /** Tells the device something, on which it has not acted yet. */
  tell(id: number, event: keyof typeof VirtioConsoleEvent, value: number): void {
    const bytes = new Uint8Array(8);
    const view = new DataView(bytes.buffer);
    view.setUint32(0, id, true);
    view.setUint16(4, VirtioConsoleEvent[event], true);
    view.setUint16(6, value, true);
    this.post(3, [{ addr: this.d.board.put(bytes), length: 8 }]);
  }

  /** Tells the device something, and lets it act. */
  say(id: number, event: keyof typeof VirtioConsoleEvent, value: number): void {
    this.tell(id, event, value);
    this.d.wait();
    this.used(3);
  }

  /** What the device has told since the last call: `PORT_OPEN 1 of 2`, `PORT_NAME 1 of 2 "log"`, with new buffers. */
  heard(): string[] {
    this.d.wait(500_000);
    const told = this.used(2).filter(({ length }) => length > 0).map(({ id, length }) => {
      const bytes = this.d.board.get(this.#messages.get(id)!, length);
      const view = new DataView(bytes.buffer);
      const event = NAMES.get(view.getUint16(4, true))!;
      const text = `${event} ${view.getUint16(6, true)} of ${view.getUint32(0, true)}`;
      if (event === "PORT_NAME") return `${text} "${new TextDecoder().decode(bytes.subarray(8))}"`;
      if (event === "RESIZE") return `${text}: ${view.getUint16(8, true)}, ${view.getUint16(10, true)}`;
      return text;
    });
    for (let i = 0; i < told.length; i++) this.bringMessageBuffer();
    return told;
  }

  /** Says DEVICE_READY, and of every port announced that it is ready and open; everything the device told. */
  ready(): string[] {
    this.say(0xffff_ffff, "DEVICE_READY", 1);
    const told = this.heard();
    for (const id of told.flatMap((text) => /^DEVICE_ADD 0 of (\d+)$/.exec(text)?.slice(1).map(Number) ?? [])) {
      this.say(id, "PORT_READY", 1);
      told.push(...this.heard());
      this.say(id, "PORT_OPEN", 1);
    }
    return told;
  }

  /** Sends text to port `id`. */
  send(id: number, text: string): void {
    this.post(id === 0 ? 1 : 2 * id + 3, [{ addr: this.d.board.put(text), length: text.length }]);
  }

  /** Brings room for input of port `id`. */
  room(id: number, length: number): void {
    const index = id === 0 ? 0 : 2 * id + 2;
    const addr = this.d.board.alloc(length);
    this.#rooms.set(`${index} ${this.post(index, [{ addr, length, write: true }])}`, addr);
  }

  /** Input that has come for port `id`. */
  received(id: number): string {
    const index = id === 0 ? 0 : 2 * id + 2;
    this.d.wait();
    const bytes = this.used(index).flatMap(({ id, length }) => [
      ...this.d.board.get(this.#rooms.get(`${index} ${id}`)!, length),
    ]);
    return new TextDecoder().decode(Uint8Array.from(bytes));
  }
}
