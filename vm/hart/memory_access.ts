/**
 * A hart's memory accesses, the slow and complete way: translate, find memory or a device, do it, and say which trap it
 * is if it cannot be done. Emitted code does the common cases itself through the TLB that this fills.
 */
import { BUS_FAULT } from "../bus/device.ts";
import { PAGE_SIZE } from "../bus/memory.ts";
import type { MemorySize } from "../isa/row.ts";
import type { Hart } from "./hart.ts";
import { TRANSLATED } from "./mmu.ts";
import { Access } from "./tlb.ts";
import { Cause } from "./trap.ts";
import { isWatched, noteWatched } from "./watching.ts";

/** An access that cannot be done: the exception to raise. `tval` is the virtual address that failed. */
export interface Fault {
  readonly cause: Cause;
  readonly tval: bigint;
}

/** The exception that an access to nothing raises. */
export const ACCESS_FAULT: Readonly<Record<Access, Cause>> = {
  [Access.Load]: Cause.LoadAccessFault,
  [Access.Store]: Cause.StoreAccessFault,
  [Access.Fetch]: Cause.InstructionAccessFault,
};

/** A place in guest memory (`host >= 0`) or on the bus (`host < 0`, `addr` is physical). */
export interface Place {
  readonly host: number;
  readonly addr: number;
}

const low = (virtual: bigint): number => Number(virtual & 0xffff_ffffn);
const high = (virtual: bigint): number => Number(virtual >> 32n);

/** Where `size` bytes at `virtual` are; all of them in one page or one device register. */
export function place(hart: Hart, virtual: bigint, size: number, access: Access): Place | Fault {
  const { addressing, memory } = hart;
  const cause = addressing.translate(low(virtual), high(virtual), access);
  if (cause !== TRANSLATED) return { cause: cause as Cause, tval: virtual };
  const addr = addressing.mmu.frame * PAGE_SIZE + Number(virtual & BigInt(PAGE_SIZE - 1));
  if (!addressing.allows(addr, size, access)) return { cause: ACCESS_FAULT[access], tval: virtual };
  return { host: memory.host(addr, size, access === Access.Store), addr };
}

/** A page's worth of emitted code may use this place directly from now on. */
function remember(hart: Hart, virtual: bigint, access: 0 | 1): void {
  if (hart.code !== undefined) fillTlb(hart, low(virtual), high(virtual), access);
}

/**
 * Makes the TLB know a virtual address for loads or stores, if emitted code may do them: memory that the hart may access
 * in that way throughout the page and, for stores, without decoded code. False if not, or if it was known already.
 */
export function fillTlb(hart: Hart, low: number, high: number, access: 0 | 1): boolean {
  const { addressing } = hart;
  const { context, mmu, tlb } = addressing;
  if (tlb.has(context, low, high, access)) return false;
  // The access may still be refused, for its alignment or for what else it touches: A and D bits are set when it is done.
  mmu.looking = true;
  const cause = addressing.translate(low, high, access);
  mmu.looking = false;
  if (cause !== TRANSLATED) return false;
  const { frame, pages } = mmu;
  const host = copyable(hart, frame, access);
  if (host < 0) return false;
  tlb.fill(context, low, high, host, access);
  if (pages > 1) tlb.noteLarge(context, low, high, pages);
  // Most pages that are read are written too: this saves the second miss.
  if (access === Access.Load && mmu.storeToo && copyable(hart, frame, Access.Store) >= 0) {
    tlb.fill(context, low, high, host, Access.Store);
  }
  return true;
}

/** Host address of a physical page that emitted code may load from or store to as it likes; else -1. */
function copyable(hart: Hart, frame: number, access: 0 | 1): number {
  const { addressing, memory } = hart;
  if (!addressing.allowsPage(frame, access)) return -1;
  if (isWatched(hart, frame, access)) return -1;
  const host = memory.hostPage(frame, access === Access.Store);
  return host >= 0 && access === Access.Store && hart.code!.holds(host) ? -1 : host;
}

/**
 * Host address of the page of a virtual address, if all of it may be fetched from; else -1: the reference executor takes
 * the trap, or finds the instruction in the part that may be fetched. With `looking`, no A bit is set.
 */
export function fetchablePage(hart: Hart, low: number, high: number, looking = false): number {
  const { addressing, memory } = hart;
  addressing.mmu.looking = looking;
  const cause = addressing.translate(low, high, Access.Fetch);
  addressing.mmu.looking = false;
  if (cause !== TRANSLATED) return -1;
  const { frame } = addressing.mmu;
  return addressing.allowsPage(frame, Access.Fetch) ? memory.hostPage(frame) : -1;
}

function crossesPage(virtual: bigint, size: number): boolean {
  return Number(virtual & BigInt(PAGE_SIZE - 1)) + size > PAGE_SIZE;
}

/** Whether a device is asked for what is not naturally aligned. Where nothing is, that is the fault to tell of. */
function misalignedDevice(hart: Hart, addr: number, size: MemorySize): boolean {
  return addr % size !== 0 && hart.bus.find(addr) !== undefined;
}

/** Reads `size` bytes, zero-extended. Memory may be read at any alignment, devices only naturally aligned. */
export function loadMemory(hart: Hart, virtual: bigint, size: MemorySize): bigint | Fault {
  if (crossesPage(virtual, size)) return loadAcross(hart, virtual, size);
  const found = place(hart, virtual, size, Access.Load);
  if ("cause" in found) return found;
  if (found.host >= 0) {
    remember(hart, virtual, Access.Load);
    return loadHost(hart, found.host, size);
  }
  if (misalignedDevice(hart, found.addr, size)) return { cause: Cause.LoadMisaligned, tval: virtual };
  const low = size === 8 ? hart.bus.readDouble(found.addr) : hart.bus.read(found.addr, size);
  if (low === BUS_FAULT) return { cause: Cause.LoadAccessFault, tval: virtual };
  return size === 8 ? BigInt(low) | (BigInt(hart.bus.high) << 32n) : BigInt(low);
}

/** Writes the low `size` bytes of `value`; undefined when done. */
export function storeMemory(hart: Hart, virtual: bigint, value: bigint, size: MemorySize): Fault | undefined {
  if (crossesPage(virtual, size)) return storeAcross(hart, virtual, value, size);
  const found = place(hart, virtual, size, Access.Store);
  if ("cause" in found) return found;
  if (found.host >= 0) {
    remember(hart, virtual, Access.Store);
    storeHost(hart, found.host, value, size);
    return undefined;
  }
  // Memory that only cannot be written (ROM) answers with a fault, as nothing else does at that address.
  if (hart.memory.readOnly(found.addr, size)) return { cause: Cause.StoreAccessFault, tval: virtual };
  if (misalignedDevice(hart, found.addr, size)) return { cause: Cause.StoreMisaligned, tval: virtual };
  const low = Number(BigInt.asUintN(32, value));
  const narrow = size === 1 ? low & 0xff : size === 2 ? low & 0xffff : low;
  const fault = size === 8
    ? hart.bus.writeDouble(found.addr, low, Number(BigInt.asUintN(32, value >> 32n)))
    : hart.bus.write(found.addr, size, narrow);
  return fault === BUS_FAULT ? { cause: Cause.StoreAccessFault, tval: virtual } : undefined;
}

/** Host address of naturally aligned memory for an atomic; devices and misaligned addresses refuse it (unpriv §13.2). */
export function atomicPlace(hart: Hart, virtual: bigint, size: 4 | 8, access: 0 | 1): number | Fault {
  const store = access === Access.Store;
  if (virtual % BigInt(size) !== 0n) {
    return { cause: store ? Cause.StoreMisaligned : Cause.LoadMisaligned, tval: virtual };
  }
  const found = place(hart, virtual, size, access);
  if ("cause" in found) return found;
  if (found.host < 0) return { cause: ACCESS_FAULT[access], tval: virtual };
  remember(hart, virtual, access);
  return found.host;
}

/** The instruction at `virtual`: 16 bits if it is compressed, else 32. */
export function fetchInstruction(hart: Hart, virtual: bigint): number | Fault {
  const low = fetchHalfword(hart, virtual);
  if (typeof low !== "number" || (low & 3) !== 3) return low;
  const high = fetchHalfword(hart, virtual + 2n & hart.mask);
  return typeof high === "number" ? (low | (high << 16)) >>> 0 : high;
}

function fetchHalfword(hart: Hart, virtual: bigint): number | Fault {
  const found = place(hart, virtual, 2, Access.Fetch);
  if ("cause" in found) return found;
  return found.host >= 0
    ? hart.view.getUint16(found.host, true)
    : { cause: Cause.InstructionAccessFault, tval: virtual };
}

/** A hart's load from memory, told if somebody watches it. */
export function loadHost(hart: Hart, host: number, size: MemorySize): bigint {
  const value = readHost(hart, host, size);
  if (hart.events.watches.active) noteWatched(hart, host, size, value, Access.Load);
  return value;
}

/** A hart's store to memory, told if somebody watches it. */
export function storeHost(hart: Hart, host: number, value: bigint, size: MemorySize): void {
  writeHost(hart, host, value, size);
  if (hart.events.watches.active) noteWatched(hart, host, size, value, Access.Store);
}

/** Bytes in guest memory as an unsigned number. */
export function readHost(hart: Hart, host: number, size: MemorySize): bigint {
  const view = hart.view;
  switch (size) {
    case 1:
      return BigInt(view.getUint8(host));
    case 2:
      return BigInt(view.getUint16(host, true));
    case 4:
      return BigInt(view.getUint32(host, true));
    default:
      return view.getBigUint64(host, true);
  }
}

/** Writes guest memory and drops what was decoded there. */
export function writeHost(hart: Hart, host: number, value: bigint, size: MemorySize): void {
  const view = hart.view;
  if (size === 8) view.setBigUint64(host, value, true);
  else if (size === 4) view.setUint32(host, Number(value & 0xffff_ffffn), true);
  else if (size === 2) view.setUint16(host, Number(value & 0xffffn), true);
  else view.setUint8(host, Number(value & 0xffn));
  hart.code?.written(host, size);
}

/** An access over a page boundary: both pages must allow it before a byte moves. */
function bothPages(hart: Hart, virtual: bigint, size: number, access: Access): number[] | Fault {
  const hosts: number[] = [];
  const boundary = (virtual & ~BigInt(PAGE_SIZE - 1)) + BigInt(PAGE_SIZE);
  const first = Number(boundary - virtual);
  for (const [at, length] of [[virtual, first], [boundary & hart.mask, size - first]] as const) {
    const found = place(hart, at, length, access);
    if ("cause" in found) return found;
    if (found.host < 0) return { cause: ACCESS_FAULT[access], tval: at };
    for (let i = 0; i < length; i++) hosts.push(found.host + i);
  }
  return hosts;
}

function loadAcross(hart: Hart, virtual: bigint, size: number): bigint | Fault {
  const hosts = bothPages(hart, virtual, size, Access.Load);
  if (!Array.isArray(hosts)) return hosts;
  return hosts.reduceRight((value, host) => (value << 8n) | loadHost(hart, host, 1), 0n);
}

function storeAcross(hart: Hart, virtual: bigint, value: bigint, size: number): Fault | undefined {
  const hosts = bothPages(hart, virtual, size, Access.Store);
  if (!Array.isArray(hosts)) return hosts;
  hosts.forEach((host, i) => storeHost(hart, host, value >> BigInt(8 * i), 1));
  return undefined;
}
