/** Everything that happens in a machine, fact by fact. */
import { assertEquals } from "@std/assert";
import type { FactKind, MachineFact, Where } from "../../vm/events.ts";
import type { Machine } from "../../vm/machine.ts";

/** Every kind of low-rate fact; the type checker misses one that is added. */
const KINDS: Readonly<Record<FactKind, true>> = {
  mmio: true,
  trap: true,
  "trap-return": true,
  irq: true,
  virtqueue: true,
  virtio: true,
  violation: true,
  wfi: true,
  console: true,
  machine: true,
};

/** Calls `listener` for every low-rate fact. */
export function onEveryFact(machine: Machine, listener: (fact: MachineFact, where: Where) => void): void {
  for (const kind of Object.keys(KINDS) as FactKind[]) machine.events.on(kind, listener);
}

/** A fact as one line: when, where, and all it says. */
export function factLine(fact: MachineFact, where: Where): string {
  return JSON.stringify([where, fact], (key, value) => {
    if (key === "device" && typeof value === "object") return value.name;
    return typeof value === "bigint" ? `0x${value.toString(16)}` : value;
  });
}

/** Fails with the first line that differs: both lists would bury it. */
export function assertSameLines(actual: readonly string[], expected: readonly string[], what: string): void {
  const at = expected.findIndex((line, i) => line !== actual[i]);
  if (at >= 0) assertEquals(actual[at], expected[at], `${what}: fact ${at}`);
  assertEquals(actual.length, expected.length, `${what}: number of facts`);
}
