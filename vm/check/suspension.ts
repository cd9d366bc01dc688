/** How a driver suspends a device and goes on with it (virtio 1.4 §3.4). */
import { virtioMmioConfigOffset, virtioStatus } from "../../devices/virtio/registers.ts";
import { hex } from "../bits.ts";
import type { MmioEvent, Where } from "../events.ts";
import { hasFeature } from "./feature_bits.ts";
import type { Report } from "./registers.ts";
import type { Occasion } from "./rule.ts";

const { DRIVER_OK, SUSPEND } = virtioStatus;

/** Watches one device. */
export class Suspension {
  readonly #occasions: Set<Occasion>;
  readonly #report: Report;
  #negotiated = false;
  /** What Status is, as the device tells it. */
  #status = 0;
  /** The driver has set SUSPEND, and not gone on since. */
  #asked = false;
  /** It has not yet read that the device is suspended. */
  #unread = false;
  /** It has asked the device to go on, and not yet read that it does. */
  #resuming = false;

  /** Reports what the driver of one device leaves out. */
  constructor(occasions: Set<Occasion>, report: Report) {
    this.#occasions = occasions;
    this.#report = report;
  }

  /** From SUSPEND on until the driver goes on: no new buffers. */
  get asked(): boolean {
    return this.#asked;
  }

  /** Features were agreed on. */
  features(accepted: bigint): void {
    this.#negotiated = hasFeature(accepted, "VIRTIO_F_SUSPEND");
  }

  /** The device's Status has changed. */
  status(to: number): void {
    this.#status = to;
    if (to === 0) this.reset();
  }

  /** The device was reset. */
  reset(): void {
    this.#status = 0;
    this.#asked =
      this.#unread =
      this.#resuming =
      this.#negotiated =
        false;
  }

  /** One access to a register; empty `name` for none. */
  access({ write, value, offset }: MmioEvent, name: string, where: Where): void {
    if (!this.#negotiated) return;
    if (name === "Status") {
      if (write) this.#write(value, where);
      else this.#read(value);
      return;
    }
    const config = offset >= virtioMmioConfigOffset;
    if (this.#resuming && (config || (write && name === "QueueNotify"))) {
      this.#resuming = false;
      const what = `${config ? "the configuration is accessed" : "a queue is notified"} before Status was read back`;
      this.#report("resume-unread", what, where);
    }
  }

  #write(value: number, where: Where): void {
    if (value === 0) return;
    if ((this.#status & SUSPEND) !== 0 && (value & DRIVER_OK) !== 0) {
      if (this.#unread) {
        const what = `Status := ${hex(value, 2)} to go on, without a read of Status since SUSPEND was set`;
        this.#report("suspend-unread", what, where);
      }
      this.#asked = this.#unread = false;
      this.#resuming = true;
    } else if ((value & SUSPEND) !== 0 && (this.#status & (DRIVER_OK | SUSPEND)) === DRIVER_OK) {
      this.#occasions.add("suspend");
      this.#asked = this.#unread = true;
    }
  }

  #read(value: number): void {
    const state = value & (SUSPEND | DRIVER_OK);
    if (state === SUSPEND) this.#unread = false;
    if (state === DRIVER_OK) this.#resuming = false;
  }
}
