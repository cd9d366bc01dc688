/**
 * A hart's memory accesses, the slow and complete way: translate, find memory or a device, do it, and say which trap it
 * is if it cannot be done. Emitted code does the common cases itself through the TLB that this fills.
 */
import { BUS_FAULT } from "../bus/device.ts";
import { PAGE_SIZE } from "../bus/memory.ts";
import type { MemorySize } from "../isa/row.ts";
import type { Hart } from "./hart.ts";
import { Access } from "./tlb.ts";
import { Cause } from "./trap.ts";

/** An access that cannot be done: the exception to raise. `tval` is the virtual address that failed. */
export interface Fault {
  readonly cause: Cause;
  readonly tval: bigint;
}

const ACCESS_FAULT = {
  [Access.Load]: Cause.LoadAccessFault,
  [Access.Store]: Cause.StoreAccessFault,
  [Access.Fetch]: Cause.InstructionAccessFault,
} as const;

/** Lowest address no region or device reaches; above it numbers stop being exact. */
const PHYSICAL_LIMIT = 1n << 52n;

/** A place in guest memory (`host >= 0`) or on the bus (`host < 0`, `addr` is physical). */
interface Place {
  readonly host: number;
  readonly addr: number;
}

/** Translates a virtual address. Today every mode is Bare (priv §10.1.11): virtual addresses are physical. */
function translate(_hart: Hart, virtual: bigint, access: Access): number | Fault {
  if (virtual >= PHYSICAL_LIMIT) return { cause: ACCESS_FAULT[access], tval: virtual };
  return Number(virtual);
}

/** Where `size` bytes at `virtual` are; all of them in one page or one device register. */
function place(hart: Hart, virtual: bigint, size: number, access: Access): Place | Fault {
  const addr = translate(hart, virtual, access);
  if (typeof addr !== "number") return addr;
  return { host: hart.memory.host(addr, size, access === Access.Store), addr };
}

/** A page's worth of emitted code may use this place directly from now on. */
function remember(hart: Hart, virtual: bigint, found: Place, access: Access): void {
  const code = hart.code;
  if (code === undefined) return;
  const page = Math.floor(found.host / PAGE_SIZE) * PAGE_SIZE;
  if (access === Access.Store && code.holds(page)) return;
  hart.tlb.fill(hart.context, virtual, page, access);
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
    remember(hart, virtual, found, Access.Load);
    return readHost(hart, found.host, size);
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
    remember(hart, virtual, found, Access.Store);
    writeHost(hart, found.host, value, size);
    return undefined;
  }
  // Memory that only cannot be written (ROM) answers with a fault, as nothing else does at that address.
  if (hart.memory.contains(found.addr, size)) return { cause: Cause.StoreAccessFault, tval: virtual };
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
  remember(hart, virtual, found, access);
  return found.host;
}

/** Host address of the page that holds the instruction at `virtual`. */
export function fetchPage(hart: Hart, virtual: bigint): number | Fault {
  const found = place(hart, virtual & ~BigInt(PAGE_SIZE - 1), PAGE_SIZE, Access.Fetch);
  if ("cause" in found) return found.cause === undefined ? found : { cause: found.cause, tval: virtual };
  return found.host >= 0 ? found.host : { cause: Cause.InstructionAccessFault, tval: virtual };
}

/** The instruction at `virtual`: 16 bits if it is compressed, else 32. */
export function fetchInstruction(hart: Hart, virtual: bigint): number | Fault {
  const low = fetchHalfword(hart, virtual);
  if (typeof low !== "number" || (low & 3) !== 3) return low;
  const high = fetchHalfword(hart, virtual + 2n & hart.mask);
  return typeof high === "number" ? (low | (high << 16)) >>> 0 : high;
}

function fetchHalfword(hart: Hart, virtual: bigint): number | Fault {
  const page = fetchPage(hart, virtual);
  if (typeof page !== "number") return page;
  return Number(readHost(hart, page + Number(virtual & BigInt(PAGE_SIZE - 1)), 2));
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
  return hosts.reduceRight((value, host) => (value << 8n) | readHost(hart, host, 1), 0n);
}

function storeAcross(hart: Hart, virtual: bigint, value: bigint, size: number): Fault | undefined {
  const hosts = bothPages(hart, virtual, size, Access.Store);
  if (!Array.isArray(hosts)) return hosts;
  hosts.forEach((host, i) => writeHost(hart, host, value >> BigInt(8 * i), 1));
  return undefined;
}
