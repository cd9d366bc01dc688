/**
 * Writes the guest's C headers from the tables the machine itself is made of, so that a register or an address is
 * written down once. `--check` compares instead of writing and exits 1 on a difference.
 *
 *     deno run -A tools/gen_headers.ts [--check]
 */

import { PLIC_SOURCES, RAM_BASE, TIMEBASE_HZ, virtBoard, VIRTIO_SLOTS } from "../vm/board.ts";
import { virtioInterrupt, virtioMmioMagic, virtioMmioRegisters, virtioStatus } from "../devices/virtio/registers.ts";
import { deviceTypes, reservedFeatures } from "../devices/virtio/features.ts";

/** Where the headers live, relative to the repository. */
export const generatedDir = "guest/generated";

const root = new URL("../", import.meta.url);

/** `QueueDescLow` as C spells it: `QUEUE_DESC_LOW`. */
function upperSnake(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, "$1_$2").replace(/([A-Z]+)([A-Z][a-z])/g, "$1_$2").toUpperCase();
}

function hex(value: number, digits: number): string {
  return `0x${value.toString(16).padStart(digits, "0")}`;
}

function header(guard: string, source: string, lines: readonly string[]): string {
  return [
    `/* Generated from ${source} by tools/gen_headers.ts: edit the table, not this file. */`,
    `#ifndef ${guard}`,
    `#define ${guard}`,
    "",
    ...lines,
    "",
    "#endif",
    "",
  ].join("\n");
}

/** Aligns `#define NAME value  comment` rows. */
function defines(rows: readonly (readonly [string, string, string?])[]): string[] {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value, comment]) => {
    const line = `#define ${name.padEnd(width)} ${value}`;
    return comment === undefined ? line : `${line} /* ${comment} */`;
  });
}

function virtioMmioHeader(): string {
  const registers = virtioMmioRegisters.map((r) => {
    const which = r.versions === undefined ? "" : ` ${r.versions} only`;
    const old = r.legacyName === undefined ? "" : ` legacy ${r.legacyName}`;
    return [`VIRTIO_MMIO_${upperSnake(r.name)}`, hex(r.offset, 3), `${r.access}${which}${old}, ${r.spec}`] as const;
  });
  return header("GENERATED_VIRTIO_MMIO_REGS_H", "devices/virtio/registers.ts", [
    ...defines(registers),
    "",
    `#define VIRTIO_MMIO_MAGIC ${hex(virtioMmioMagic, 8)}`,
    "",
    "/* InterruptStatus and InterruptACK */",
    ...defines(Object.entries(virtioInterrupt).map(([name, mask]) => [`VIRTIO_MMIO_INT_${name}`, hex(mask, 2)])),
    "",
    "/* Status (virtio 1.2 §2.1) */",
    ...defines(Object.entries(virtioStatus).map(([name, mask]) => [`VIRTIO_CONFIG_S_${name}`, hex(mask, 2)])),
  ]);
}

function featuresHeader(): string {
  const lines = [
    "/* Device types (virtio 1.2 §5) */",
    ...defines(deviceTypes.map((t) => [`VIRTIO_ID_${t.short.toUpperCase()}`, String(t.id), t.name])),
    "",
    "/* Reserved feature bits (virtio 1.2 §6) */",
    ...defines(reservedFeatures.map((r) => [r.name, String(r.bit), `${r.since}, ${r.section}`])),
  ];
  for (const type of deviceTypes) {
    if (type.features.length === 0) continue;
    lines.push("", `/* ${type.name} */`);
    lines.push(...defines(type.features.map((r) => [r.name, String(r.bit), `${r.since}, ${r.section}`])));
  }
  return header("GENERATED_VIRTIO_FEATURES_H", "devices/virtio/features.ts", lines);
}

function boardHeader(): string {
  const rows: (readonly [string, string, string?])[] = [];
  for (const entry of virtBoard) {
    const name = `BOARD_${entry.name.toUpperCase().replaceAll("-", "_")}`;
    rows.push([`${name}_BASE`, `${hex(entry.base, 8)}UL`, entry.what]);
    if (entry.kind !== "ram") rows.push([`${name}_SIZE`, `${hex(entry.size, 8)}UL`]);
    if (entry.irq !== undefined) rows.push([`${name}_IRQ`, String(entry.irq)]);
  }
  return header("GENERATED_BOARD_H", "vm/board.ts", [
    "/*",
    " * For the linker script and for a panic before the device tree was read. Everything else takes its addresses",
    " * from the device tree it was handed.",
    " */",
    ...defines(rows),
    "",
    ...defines([
      ["BOARD_VIRTIO_SLOTS", String(VIRTIO_SLOTS)],
      ["BOARD_PLIC_SOURCES", String(PLIC_SOURCES)],
      ["BOARD_TIMEBASE_HZ", String(TIMEBASE_HZ)],
      ["BOARD_ENTRY", `${hex(RAM_BASE, 8)}UL`, "flat images are loaded and entered here"],
    ]),
  ]);
}

/** Every generated header: file name (in `generatedDir`) and text. */
export function generatedHeaders(): ReadonlyMap<string, string> {
  return new Map([
    ["board.h", boardHeader()],
    ["virtio_features.h", featuresHeader()],
    ["virtio_mmio_regs.h", virtioMmioHeader()],
  ]);
}

if (import.meta.main) {
  const check = Deno.args.includes("--check");
  let stale = 0;
  for (const [name, text] of generatedHeaders()) {
    const path = new URL(`${generatedDir}/${name}`, root);
    const old = await Deno.readTextFile(path).catch(() => "");
    if (old === text) continue;
    if (check) {
      console.error(`${generatedDir}/${name}: differs from its table; run deno run -A tools/gen_headers.ts`);
      stale++;
    } else {
      await Deno.writeTextFile(path, text);
      console.log(`wrote ${generatedDir}/${name}`);
    }
  }
  if (stale > 0) Deno.exit(1);
}
