/** The flash of the board: its banks as one device on the bus, and as memory that code runs from. */
import { Flash } from "../../devices/flash.ts";
import { boardEntry, FLASH_BANKS } from "../board.ts";
import type { AccessSize, Device } from "../bus/device.ts";
import type { GuestMemory, MemoryRegion } from "../bus/memory.ts";
import type { RegisterDef } from "../bus/register.ts";
import type { EventStream } from "../events.ts";

const flash = boardEntry("flash");

/** Bytes of a bank. */
export const FLASH_BANK: number = flash.size / FLASH_BANKS;

const bankName = (index: number) => `flash${index}`;

/** The banks as regions of memory; `host` is where the first one is. */
export function flashRegions(host: number): MemoryRegion[] {
  return Array.from({ length: FLASH_BANKS }, (_, i): MemoryRegion => ({
    name: bankName(i),
    base: flash.base + i * FLASH_BANK,
    size: FLASH_BANK,
    host: host + i * FLASH_BANK,
    writable: false,
    device: true,
  }));
}

/** The device behind all banks: each takes the accesses to its part. */
export class FlashBanks implements Device {
  readonly name = "flash";
  readonly registers: readonly RegisterDef[] = [];
  readonly #banks: readonly Flash[];

  constructor(memory: GuestMemory, events: EventStream) {
    this.#banks = Array.from({ length: FLASH_BANKS }, (_, i) => {
      const name = bankName(i);
      const base = flash.base + i * FLASH_BANK;
      return new Flash({
        name,
        events,
        bytes: memory.bytes(base, FLASH_BANK)!,
        onArray: (array) => memory.map(name, array),
        onChanged: (offset, length) => memory.wrote(base + offset, length),
      });
    });
  }

  read(offset: number, size: AccessSize): number {
    return this.#banks[Math.floor(offset / FLASH_BANK)]!.read(offset % FLASH_BANK, size);
  }

  write(offset: number, size: AccessSize, value: number): number {
    return this.#banks[Math.floor(offset / FLASH_BANK)]!.write(offset % FLASH_BANK, size, value);
  }

  reset(): void {
    for (const bank of this.#banks) bank.reset();
  }
}
