/** A machine as the stall explainer sees it. */
import { virtBoard } from "../board.ts";
import type { Unread } from "../check/watched_queue.ts";
import type { StallView } from "../check/stall/view.ts";
import { TRANSLATED } from "../hart/mmu.ts";
import { Access } from "../hart/tlb.ts";
import type { Machine } from "../machine.ts";
import type { Symbolizer } from "../trace/symbolizer.ts";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";

const PAGE = 4096n;

/** What the driver of a queue has not read of what its device has used, of who watches. */
export type UnreadOf = (device: string, queue: number) => Unread | undefined;

/** How `machine` stands now. */
export function stallView(machine: Machine, symbolize?: Symbolizer, unread?: UnreadOf): StallView {
  const { memory, bus, plic, harts } = machine;
  const sourced = virtBoard.filter((entry) => entry.irq !== undefined && entry.present);
  return {
    harts,
    symbolize,
    devices: machine.slots.flatMap((slot) => {
      if (!(slot instanceof VirtioMmio)) return [];
      const { core } = slot;
      return [{
        name: slot.name,
        id: core.device.id,
        status: core.status,
        interruptStatus: slot.interruptStatus,
        eventIdx: core.eventIdx,
        source: virtBoard.find(({ name }) => name === slot.name)!.irq!,
        queues: core.queues.flatMap(({ state, index, inFlight }) =>
          state === undefined ? [] : [{ ...state, index, inFlight, ...unread?.(slot.name, index) }]
        ),
      }];
    }),
    sources: sourced.map(({ irq, name }) => ({ id: irq!, name, ...plic.sourceState(irq!) })),
    threshold: (context) => plic.threshold(context),
    read: (addr, size) => memory.read(addr, size),
    physical: (index, addr) => {
      const { addressing } = harts[index]!;
      addressing.mmu.looking = true;
      const cause = addressing.translate(Number(addr & 0xffff_ffffn), Number(addr >> 32n), Access.Load);
      addressing.mmu.looking = false;
      return cause === TRANSLATED ? addressing.mmu.frame * Number(PAGE) + Number(addr % PAGE) : undefined;
    },
    place: (addr) => {
      const mapping = bus.find(addr);
      if (mapping === undefined) return undefined;
      const { entry, device } = mapping;
      const legacy = device instanceof VirtioMmio && device.core.legacy;
      return { name: device.name, offset: addr - entry.base, registers: device.registers, legacy };
    },
  };
}
