import { HARTS_MAX, VIRTIO_SLOTS } from "../board.ts";
import { PAGE_SIZE } from "../bus/memory.ts";
import type { MachineOptions } from "../machine.ts";

/** Throws a `RangeError` for options that no machine can be made of. */
export function checkOptions({ memorySize, harts = 1, slots }: MachineOptions): void {
  if (memorySize <= 0 || memorySize % PAGE_SIZE !== 0) {
    throw new RangeError(`machine: memory must be a positive multiple of ${PAGE_SIZE} bytes, got ${memorySize}`);
  }
  if (!Number.isInteger(harts) || harts < 1 || harts > HARTS_MAX) {
    throw new RangeError(`machine: harts must be 1 to ${HARTS_MAX}, got ${harts}`);
  }
  if (slots.length > VIRTIO_SLOTS) {
    throw new RangeError(`machine: there are ${VIRTIO_SLOTS} virtio slots, got ${slots.length}`);
  }
}
