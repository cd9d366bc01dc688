/** Fills the virtio-mmio slots of the board, and finds a place for the memory that devices share with drivers. */
import type { VirtioDevice } from "../../devices/virtio/device.ts";
import { EmptyVirtioSlot } from "../../devices/virtio/empty_slot.ts";
import { VirtioMmio, type VirtioMmioOptions } from "../../devices/virtio/mmio.ts";
import type { Plic } from "../../devices/plic.ts";
import { SHARED_MEMORY_BASE, SHARED_MEMORY_SIZE, virtBoard } from "../board.ts";
import type { Bus } from "../bus/bus.ts";
import type { Clock } from "../bus/clock.ts";
import type { AccessSize, Device } from "../bus/device.ts";
import type { GuestMemory } from "../bus/memory.ts";
import type { EventStream } from "../events.ts";
import type { SlotOptions } from "../machine.ts";

/** What slots need of the machine. */
export interface SlotParts {
  readonly bus: Bus;
  readonly memory: GuestMemory;
  readonly clock: Clock;
  readonly events: EventStream;
  readonly plic: Plic;
}

/** A slot for every entry of the board; shared memory is on the bus when this returns, the slots are not. */
export function makeVirtioSlots(
  slots: readonly (SlotOptions | undefined)[],
  emptyVersion: 1 | 2,
  { bus, memory, clock, events, plic }: SlotParts,
): (VirtioMmio | EmptyVirtioSlot)[] {
  return virtBoard.filter((e) => e.kind === "virtio-mmio").map((entry, slot) => {
    const { name } = entry;
    const options = slots[slot];
    if (options === undefined) return new EmptyVirtioSlot({ name, events, version: emptyVersion });
    const sharedMemory = attachSharedMemory(bus, name, slot, options.device);
    const wiring: VirtioMmioOptions = {
      ...options,
      name,
      memory,
      clock,
      events,
      irq: plic.source(entry.irq!),
      ...(sharedMemory !== undefined && { sharedMemory }),
    };
    return options.transport?.(wiring) ?? new VirtioMmio(wiring);
  });
}

/**
 * Puts a device's regions (virtio 1.2 §2.10) into the slot's part of the window, one after the other on pages; their
 * addresses by shmid.
 */
function attachSharedMemory(
  bus: Bus,
  name: string,
  slot: number,
  { sharedMemory = [] }: VirtioDevice,
): ReadonlyMap<number, number> | undefined {
  if (sharedMemory.length === 0) return undefined;
  const places = new Map<number, number>();
  let base = SHARED_MEMORY_BASE + slot * SHARED_MEMORY_SIZE;
  const end = base + SHARED_MEMORY_SIZE;
  for (const { shmid, bytes } of sharedMemory) {
    const size = Math.ceil(bytes.length / 4096) * 4096;
    if (size === 0 || base + size > end) {
      throw new RangeError(`${name}: ${bytes.length} bytes of shared memory, expected 1..${end - base}`);
    }
    places.set(shmid, base);
    bus.attach({ name: `${name}-shm${shmid}`, base, size }, new SharedBytes(`${name}-shm${shmid}`, bytes));
    base += size;
  }
  return places;
}

/** Bytes on the bus; what is beyond them on their last page reads 0. */
class SharedBytes implements Device {
  readonly name: string;
  readonly registers: readonly never[] = [];
  readonly #bytes: Uint8Array;

  constructor(name: string, bytes: Uint8Array) {
    this.name = name;
    this.#bytes = bytes;
  }

  read(offset: number, size: AccessSize): number {
    let value = 0;
    for (let i = size - 1; i >= 0; i--) value = value * 256 + (this.#bytes[offset + i] ?? 0);
    return value;
  }

  write(offset: number, size: AccessSize, value: number): number {
    for (let i = 0; i < size && offset + i < this.#bytes.length; i++) this.#bytes[offset + i] = value >>> (8 * i);
    return 0;
  }

  /** What is in it is the device's to reset. */
  reset(): void {}
}
