/** What the monitor says of devices, interrupts and virtqueues. */
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import { featureName } from "../../devices/virtio/features.ts";
import type { QueueState } from "../../devices/virtio/queue.ts";
import { virtioMmioRegisters } from "../../devices/virtio/registers.ts";
import { DESCRIPTOR_BYTES, VirtqDesc } from "../../devices/virtio/ring.ts";
import { hex } from "../bits.ts";
import { boardEntry, PLIC_SOURCES, virtBoard } from "../board.ts";
import type { GuestMemory } from "../bus/memory.ts";
import type { DescriptorFact } from "../events.ts";
import type { Machine } from "../machine.ts";
import { chainLines } from "../trace/chain_text.ts";
import { bitNames } from "../trace/register_text.ts";

/** Buffers of a ring that are shown, before and after the device's place. */
const SHOWN = 8;

/** One line for each device of the board. */
export function deviceLines(machine: Machine): string[] {
  const ram = machine.memory.regions.find(({ name }) => name === "ram")!;
  return virtBoard.filter((entry) => entry.present).map(({ name, base, size, irq, what }) => {
    const slot = machine.slots.find((one) => one.name === name);
    const bytes = name === "ram" ? ram.size : size;
    const text = slot === undefined ? what : slot instanceof VirtioMmio ? virtioSummary(slot) : "empty slot";
    const range = `${hex(base, 8)}..${hex(base + bytes - 1, 8)}`;
    return `${name.padEnd(9)} ${range}  ${irq === undefined ? "" : `irq ${irq}`}`.padEnd(42) + text;
  });
}

function virtioSummary({ core, legacy }: VirtioMmio): string {
  const ready = core.queues.filter((queue) => queue.ready).length;
  return `${core.device.name}, version ${legacy ? 1 : 2}, ${
    statusText(core.status)
  }, ${ready} of ${core.queues.length} queues set up`;
}

const statusBits = virtioMmioRegisters.find(({ name }) => name === "Status")!.bits!;

function statusText(status: number): string {
  return status === 0 ? "no driver" : bitNames(statusBits, status).join(" ");
}

/** A virtio device: status, features, queues. */
export function virtioLines(slot: VirtioMmio): string[] {
  const { core, legacy, name } = slot;
  const { base, irq } = boardEntry(name);
  const { device, offered, negotiated } = core;
  const names = (bits: readonly number[]) =>
    bits.map((bit) => featureName(device.id, bit).replace(/^VIRTIO_/, "")).join(" ") || "none";
  return [
    `${name} at ${hex(base)}, irq ${irq}: ${device.name}, DeviceID ${device.id}, virtio-mmio version ${legacy ? 1 : 2}`,
    `  status      ${hex(core.status, 2)} ${statusText(core.status)}`,
    `  negotiated  ${names(negotiated.bits())}`,
    `  not taken   ${names(offered.without(negotiated))}`,
    ...core.queues.map((queue, i) => {
      const state = queue.state;
      const text = state === undefined ? "not set up" : queueSummary(state, queue.inFlight);
      return `  queue ${i}     ${device.queues[i]!.name}: ${text}`;
    }),
  ];
}

function queueSummary({ format, size, desc, driver, device }: QueueState, inFlight: number): string {
  return `${format}, ${size} entries, ${inFlight} in flight; ` +
    `${format === "split" ? "table" : "ring"} ${hex(desc)}, ` +
    (format === "split" ? "available" : "driver events") + ` ${hex(driver)}, ` +
    (format === "split" ? "used" : "device events") + ` ${hex(device)}`;
}

/** A virtqueue's rings, with the chains that are in them. */
export function queueLines({ core }: VirtioMmio, index: number): string[] {
  const queue = core.queues[index]!;
  const state = queue.state;
  const title = `${core.name} queue ${index}, ${core.device.queues[index]!.name}`;
  if (state === undefined) return [`${title}: not set up`];
  const lines = state.format === "split" ? splitLines(core.memory, state) : packedLines(core.memory, state);
  return [`${title}: ${queueSummary(state, queue.inFlight)}`, ...lines.map((line) => `  ${line}`)];
}

/** Split (virtio 1.2 §2.7): what the driver made available, what the device used, each with the last entries. */
function splitLines(memory: GuestMemory, { size, desc, driver, device, taken, used }: QueueState): string[] {
  const half = (at: number) => Math.max(0, memory.read(at, 2));
  const word = (at: number) => Math.max(0, memory.read(at, 4));
  const available = half(driver + 2);
  const waiting = (available - taken) & 0xffff;
  const entries = (end: number, line: (position: number) => string[]) => {
    const count = Math.min(SHOWN, size, end);
    return Array.from({ length: count }, (_, i) => end - count + i).flatMap(line);
  };
  return [
    `available: flags ${half(driver)}, idx ${available}, used_event ${half(driver + 4 + 2 * size)}; ` +
    `the device takes ${taken} next, ${waiting} waiting`,
    ...entries(available, (position) => {
      const head = half(driver + 4 + 2 * (position % size));
      const state = ((position - taken) & 0xffff) < waiting ? "waits" : "taken";
      return [
        `  ${position} ${state}: head ${head}`,
        ...chainLines(chainAt(memory, desc, size, head)).map((line) => `      ${line}`),
      ];
    }),
    `used: flags ${half(device)}, idx ${half(device + 2)}, avail_event ${half(device + 4 + 8 * size)}`,
    ...entries(used, (position) => {
      const at = device + 4 + 8 * (position % size);
      return [`  ${position}: head ${word(at)}, ${word(at + 4)} bytes written`];
    }),
  ];
}

/** A chain as it stands in memory now; what is taken already may have been overwritten since. */
function chainAt(memory: GuestMemory, table: number, size: number, head: number): DescriptorFact[] {
  const chain: DescriptorFact[] = [];
  for (let index = head; index < size && chain.length < size;) {
    const descriptor = descriptorAt(memory, table, index);
    chain.push(descriptor);
    if ((descriptor.flags & VirtqDesc.F_NEXT) === 0) break;
    index = descriptor.next;
  }
  const last = chain.at(-1);
  if (last === undefined || (last.flags & VirtqDesc.F_INDIRECT) === 0) return chain;
  const count = Math.min(size, Math.floor(last.length / DESCRIPTOR_BYTES));
  for (let index = 0, n = 0; index < count && n < count; n++) {
    const descriptor = descriptorAt(memory, last.addr, index);
    chain.push({ ...descriptor, table: "indirect" });
    if ((descriptor.flags & VirtqDesc.F_NEXT) === 0) break;
    index = descriptor.next;
  }
  return chain;
}

/** A descriptor of a split queue (virtio 1.2 §2.7.5). */
function descriptorAt(memory: GuestMemory, table: number, index: number): DescriptorFact {
  const at = table + DESCRIPTOR_BYTES * index;
  const word = (offset: number) => Math.max(0, memory.read(at + offset, 4));
  const rest = word(12);
  const addr = word(4) * 2 ** 32 + word(0);
  return { index, addr, length: word(8), flags: rest & 0xffff, next: rest >>> 16, table: "ring" };
}

/** Packed (virtio 1.2 §2.8): the descriptors around the device's place. */
function packedLines(memory: GuestMemory, { size, desc, driver, device, taken, used, wrap }: QueueState): string[] {
  const half = (at: number) => Math.max(0, memory.read(at, 2));
  const events = (at: number) => {
    const [off, flags] = [half(at), half(at + 2)];
    return ["ENABLE", "DISABLE", `DESC at ${off & 0x7fff}, wrap ${off >>> 15}`, "reserved"][flags & 3]!;
  };
  const count = Math.min(size, 2 * SHOWN);
  const first = Math.max(0, Math.min(taken - SHOWN, size - count));
  return [
    `the device takes ${taken} next (wrap ${wrap}), and puts the next used one at ${used}`,
    `driver wants: ${events(driver)}; device wants: ${events(device)}`,
    ...Array.from({ length: count }, (_, i) => first + i).flatMap((index) => {
      // The same 16 bytes as a split queue's, with the Buffer ID where its flags are, and the flags behind it (§2.8.13).
      const { flags: id, next: flags, ...descriptor } = descriptorAt(memory, desc, index);
      const never = flags === 0 && descriptor.addr === 0 && descriptor.length === 0;
      if (never && index !== taken) return [];
      const marks = `AVAIL ${(flags >>> 7) & 1} USED ${(flags >>> 15) & 1}`;
      const [line] = chainLines([{ ...descriptor, flags: flags & 7, next: 0 }]);
      const place = index === taken ? ">" : " ";
      return [
        never ? `${place} [${index}] not written yet` : `${place} ${line!.replace(/^─ /, "")}  ID ${id}  ${marks}`,
      ];
    }),
  ];
}

/** Timer, and what the PLIC has pending, enabled and in service. */
export function interruptLines({ clint, harts, plic }: Machine): string[] {
  const bits = (offset: number) => {
    const numbers: number[] = [];
    for (let source = 1; source <= PLIC_SOURCES; source++) {
      const word = plic.read(offset + 4 * (source >> 5), 4);
      if ((word >>> (source & 31)) & 1) numbers.push(source);
    }
    return numbers.map(sourceName).join(", ") || "none";
  };
  const context = (hart: number, mode: 0 | 1) => 2 * hart + mode;
  return [
    `clint: mtime ${clint.ticks()}`,
    ...harts.map(({ index }) => `  hart ${index}: mtimecmp ${clint.compare(index)}`),
    `plic: pending ${bits(0x1000)}`,
    ...harts.flatMap(({ index }) =>
      (["M", "S"] as const).map((mode, i) => {
        const n = context(index, i as 0 | 1);
        const threshold = plic.read(0x20_0000 + 0x1000 * n, 4);
        return `  hart ${index} ${mode}: enabled ${bits(0x2000 + 0x80 * n)}; threshold ${threshold}`;
      })
    ),
  ];
}

function sourceName(source: number): string {
  const name = virtBoard.find(({ irq }) => irq === source)?.name;
  return name === undefined ? `${source}` : `${source} (${name})`;
}
