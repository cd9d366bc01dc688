import { assertEquals } from "@std/assert";
import { virtioMmioRegisters } from "../../devices/virtio/registers.ts";
import type { RegisterDef } from "../../vm/bus/register.ts";
import { EventStream, Privilege } from "../../vm/events.ts";
import type { DescriptorFact, EventDevice, MachineFact, Where } from "../../vm/events.ts";
import { DeviceTrace, type DeviceTraceOptions } from "../../vm/trace/devices.ts";
import { MemorySink } from "../../vm/trace/sink.ts";

const virtio0: EventDevice = { name: "virtio0", registers: virtioMmioRegisters };
const at: Where = { hart: 0, pc: 0x80000010n, privilege: Privilege.M, steps: 7, now: 7 };
const LEFT = "           7 M    80000010  ";

/** The lines that a trace makes of some facts, without its header. */
function trace(facts: readonly (MachineFact | Where)[], options: DeviceTraceOptions = {}): string[] {
  const sink = new MemorySink();
  const events = new EventStream();
  let where = at;
  events.where = () => where;
  const writer = new DeviceTrace(sink, options);
  const end = writer.attach(events);
  for (const fact of facts) {
    if ("kind" in fact) events.emit(fact);
    else where = fact;
  }
  end();
  events.emit({ kind: "machine", step: "pass", code: 0 });
  writer.flush();
  return sink.text().trimEnd().split("\n").slice(1);
}

/** What the trace says of one access, from the device's name on. */
function access(device: EventDevice | undefined, rw: "R" | "W", offset: number, value: number, size: 1 | 2 | 4 = 4) {
  const [line] = trace([mmio(device, rw, offset, value, size)]);
  return line!.slice(LEFT.length);
}

function mmio(
  device: EventDevice | undefined,
  rw: "R" | "W",
  offset: number,
  value: number,
  size: 1 | 2 | 4 = 4,
): MachineFact {
  const addr = 0x1000_1000 + offset;
  return { kind: "mmio", device, addr, offset, size, accessSize: size, write: rw === "W", value };
}

Deno.test("devices: registers, bits and virtio meanings by name", () => {
  const says = (rw: "R" | "W", offset: number, value: number) => access(virtio0, rw, offset, value).slice(10);
  assertEquals(says("W", 0x70, 0x0f), "W Status                 = 0x0f ACKNOWLEDGE|DRIVER|DRIVER_OK|FEATURES_OK");
  assertEquals(says("R", 0x70, 0x30), "R Status                 = 0x30 SUSPEND|0x20");
  assertEquals(says("W", 0x70, 0), "W Status                 = 0x00 reset");
  assertEquals(says("R", 0x70, 0), "R Status                 = 0x00");
  assertEquals(says("R", 0x00, 0x74726976), 'R MagicValue             = 0x74726976 "virt"');
  assertEquals(says("R", 0x00, 0x01020304), "R MagicValue             = 0x1020304");
  assertEquals(says("R", 0x08, 2), "R DeviceID               = 0x02 block device");
  assertEquals(says("R", 0x08, 0), "R DeviceID               = 0x00 no device");
  assertEquals(says("R", 0x08, 1000), "R DeviceID               = 0x3e8 unknown device type");
  assertEquals(says("R", 0x34, 1024), "R QueueNumMax            = 0x400 (1024)");
  assertEquals(says("W", 0x80, 0x80010000), "W QueueDescLow           = 0x80010000");
  assertEquals(says("W", 0x50, 3), "W QueueNotify            = 0x03 queue 3");
  assertEquals(says("R", 0x114, 9), "R Config[0x14]           = 0x09");
  assertEquals(says("R", 0xd0, 9), "R +0xd0                  = 0x09");
});

Deno.test("devices: features by the device type that the driver has read, and the selector it has written", () => {
  const lines = trace([
    mmio(virtio0, "R", 0x08, 2),
    mmio(virtio0, "W", 0x14, 0),
    mmio(virtio0, "R", 0x10, 0x30000220),
    mmio(virtio0, "W", 0x24, 1),
    mmio(virtio0, "W", 0x20, 1),
    mmio({ ...virtio0, name: "virtio1" }, "R", 0x10, 0x220),
    {
      kind: "virtio",
      device: "virtio0",
      step: "features",
      offered: (1n << 32n) | 0x220n,
      accepted: (1n << 32n) | (1n << 9n),
      ok: true,
    },
  ]);
  assertEquals(lines.map((line) => line.slice(LEFT.length)), [
    "virtio0   R DeviceID               = 0x02 block device",
    "virtio0   W DeviceFeaturesSel      = 0x00 bits 0..31",
    "virtio0   R DeviceFeatures         = 0x30000220 BLK_F_RO|BLK_F_FLUSH|F_INDIRECT_DESC|F_EVENT_IDX",
    "virtio0   W DriverFeaturesSel      = 0x01 bits 32..63",
    "virtio0   W DriverFeatures         = 0x01 F_VERSION_1",
    "virtio1   R DeviceFeatures         = 0x220 bit5|bit9",
    "virtio0     features accepted: BLK_F_FLUSH|F_VERSION_1",
    "              offered, not accepted: BLK_F_RO",
  ]);
});

Deno.test("devices: with VIRTIO_F_NOTIFICATION_DATA a notification has fields", () => {
  const lines = trace([
    mmio(virtio0, "W", 0x24, 1),
    mmio(virtio0, "W", 0x20, 1 << 6),
    mmio(virtio0, "W", 0x50, 0x8005_0002),
  ]);
  assertEquals(
    lines.at(-1)!.slice(LEFT.length),
    "virtio0   W QueueNotify            = 0x80050002 vqn=2|next_off=5|next_wrap",
  );
});

Deno.test("devices: legacy names, and the address behind QueuePFN", () => {
  const legacy = { ...virtio0, legacy: true };
  const lines = trace([mmio(legacy, "R", 0x10, 0), mmio(legacy, "W", 0x28, 4096), mmio(legacy, "W", 0x40, 0x8000a)]);
  assertEquals(lines.map((line) => line.slice(LEFT.length + 10)), [
    "R HostFeatures           = 0x00 none",
    "W GuestPageSize          = 0x1000 (4096)",
    "W QueuePFN               = 0x8000a queue at 0x8000a000",
  ]);
});

Deno.test("devices: arrays, halves, enumerations, characters, faults", () => {
  const registers: RegisterDef[] = [
    { name: "THR", offset: 0, size: 1, access: "W", spec: "" },
    {
      name: "IIR",
      offset: 2,
      size: 1,
      access: "R",
      bits: [{ name: "ID", mask: 0xf, values: { 0: "MSI", 2: "THRI" } }, { name: "FIFOS", mask: 0xc0 }],
      spec: "",
    },
    { name: "mtimecmp", offset: 0x10, size: 8, access: "RW", repeat: { count: 2, stride: 8 }, spec: "" },
    { name: "priority", offset: 0x40, size: 4, access: "RW", bits: [{ name: "P", mask: 7 }], spec: "" },
  ];
  const device = { name: "x", registers };
  assertEquals(access(device, "W", 0, 0x41, 1), "x         W THR                    = 0x41 'A'");
  assertEquals(access(device, "W", 0, 0x1b, 1), "x         W THR                    = 0x1b");
  assertEquals(access(device, "R", 2, 0xc2, 1), "x         R IIR                    = 0xc2 ID=THRI|FIFOS=3");
  assertEquals(access(device, "R", 2, 0x05, 1), "x         R IIR                    = 0x05 ID=5");
  assertEquals(access(device, "W", 0x1c, 1), "x         W mtimecmp[1][63:32]     = 0x01");
  assertEquals(access(device, "W", 0x11, 1, 1), "x         W mtimecmp[0][15:8]      = 0x01");
  assertEquals(access(device, "W", 0x40, 5), "x         W priority               = 0x05");
  assertEquals(access(device, "R", 0x80, -1), "x         R +0x80                  = bus fault: the device refuses");
  assertEquals(access(undefined, "R", 0, -1), "nothing   R 0x10001000             = bus fault: nothing is there");
});

/** Descriptors one after the other. */
function descriptors(table: "ring" | "indirect", ...rows: [length: number, flags: number][]): DescriptorFact[] {
  return rows.map(([length, flags], index) => ({
    index,
    table,
    addr: 0x80001000 + index * 0x1000,
    length,
    flags,
    next: index + 1,
  }));
}

Deno.test("devices: the way of a request, chain drawn", () => {
  const queue = { kind: "virtqueue", device: "virtio1", queue: 0 } as const;
  const parts = { size: 8, desc: 0x80010000, driver: 0x80010100, device_area: 0x80010200 };
  const lines = trace([
    { ...queue, step: "configured", format: "split", ...parts },
    { ...queue, step: "notified", value: 0 },
    { ...queue, step: "available", from: 0xffff, to: 1 },
    { ...queue, step: "chain", head: 0, position: 0xffff, descriptors: descriptors("ring", [16, 1], [512, 3], [1, 2]) },
    { kind: "virtio", device: "virtio1", step: "request", queue: 0, head: 0, text: "IN sector 0, 512 bytes\u001b[2J" },
    { ...queue, step: "used", head: 0, written: 513, position: 0xffff },
    { ...queue, step: "interrupt", sent: true, reason: "flags is 0" },
    { kind: "irq", step: "raised", source: 2, device: "virtio1" },
    { kind: "irq", step: "claimed", source: 2, context: 1, device: "virtio1" },
    { kind: "irq", step: "completed", source: 2, context: 2, device: "virtio1" },
    { kind: "irq", step: "claimed", source: 0, context: 0 },
    { ...queue, step: "stopped" },
    { ...queue, step: "configured", format: "packed", ...parts },
  ]);
  assertEquals(lines.map((line) => line.slice(LEFT.length)), [
    "virtio1     queue 0: started with 8 descriptors: table 0x80010000, driver area 0x80010100, device area 0x80010200",
    "virtio1     queue 0: notified with 0x00",
    "virtio1     queue 0: available 65535 -> 1, 2 new",
    "virtio1     queue 0: chain 0 at position 65535, device reads 16 bytes and writes 513 bytes",
    "              ┌ [0] device reads   16 bytes at 0x80001000  NEXT",
    "              ├ [1] device writes 512 bytes at 0x80002000  NEXT|WRITE",
    "              └ [2] device writes   1 byte  at 0x80003000  WRITE",
    "virtio1     queue 0: request 0: IN sector 0, 512 bytes?[2J",
    "virtio1     queue 0: used 0 at position 65535, 513 bytes written",
    "virtio1     queue 0: interrupt sent (flags is 0)",
    "plic        interrupt 2 (virtio1) raised",
    "plic        interrupt 2 (virtio1) claimed by context 1 (hart 0 S)",
    "plic        interrupt 2 (virtio1) completed by context 2 (hart 1 M)",
    "plic        nothing to claim",
    "virtio1     queue 0: stopped",
    "virtio1     queue 0: started with 8 descriptors: packed ring 0x80010000, driver area 0x80010100, device area 0x80010200",
  ]);
});

Deno.test("devices: indirect tables hang under their descriptor; endless chains are cut; odd flags are shown", () => {
  const chain = (facts: readonly DescriptorFact[]) =>
    trace([{ kind: "virtqueue", device: "virtio1", queue: 0, step: "chain", head: 0, position: 0, descriptors: facts }])
      .map((line) => line.slice(LEFT.length + 10));
  const table: DescriptorFact = { index: 5, table: "ring", addr: 0x8000f000, length: 32, flags: 4, next: 0 };
  assertEquals(chain([table, ...descriptors("indirect", [16, 1], [4, 0x8002])]), [
    "  queue 0: chain 0 at position 0, device reads 16 bytes and writes 4 bytes",
    "    ─ [5] table of 2 descriptors at 0x8000f000  INDIRECT",
    "       ┌ [0] device reads  16 bytes at 0x80001000  NEXT",
    "       └ [1] device writes  4 bytes at 0x80002000  WRITE|0x8000",
  ]);
  const endless = chain(descriptors("ring", ...Array.from({ length: 1000 }, (): [number, number] => [0, 1])));
  assertEquals(endless.length, 66);
  assertEquals(endless[0], "  queue 0: chain 0 at position 0, no bytes");
  assertEquals(endless.at(-1), "    └ 936 more");
  assertEquals(chain([])[0], "  queue 0: chain 0 at position 0, no bytes");
});

Deno.test("devices: life cycle, violations, interrupts taken, waits and the end", () => {
  const trap = { kind: "trap", tval: 0n, epc: 0n, from: Privilege.U, to: Privilege.S, handler: 0x80000100n } as const;
  const lines = trace([
    { kind: "virtio", device: "virtio0", step: "status", from: 0, to: 3 },
    { kind: "virtio", device: "virtio0", step: "status", from: 3, to: 0x22 },
    { kind: "virtio", device: "virtio0", step: "reset" },
    { kind: "virtio", device: "virtio0", step: "config-changed", generation: 4 },
    { kind: "virtio", device: "virtio0", step: "needs-reset", reason: "descriptor-loop: queue 0" },
    {
      kind: "violation",
      device: "virtio0",
      spec: "virtio 1.2 §2.7.5.2",
      id: "descriptor-loop",
      what: "queue 0: loop\n",
    },
    { ...trap, interrupt: true, cause: 9 },
    { ...trap, interrupt: false, cause: 2 },
    { ...at, steps: 7, now: 7 },
    { kind: "wfi", step: "wait" },
    { ...at, steps: 7, now: 1007 },
    { kind: "wfi", step: "wake" },
    { kind: "wfi", step: "wait" },
    { kind: "wfi", step: "wake" },
    { kind: "machine", step: "fail", code: 3 },
    { kind: "machine", step: "pass", code: 0 },
  ], { symbolize: (addr) => addr === 0x80000100n ? { name: "trap_entry", offset: 0 } : undefined });
  assertEquals(lines.map((line) => line.slice(LEFT.length + 29)), [
    "virtio0     status +ACKNOWLEDGE +DRIVER",
    "virtio0     status -ACKNOWLEDGE undefined bits 0x20",
    "virtio0     reset",
    "virtio0     configuration changed, generation 4",
    "virtio0     DEVICE_NEEDS_RESET: descriptor-loop: queue 0",
    "virtio0     violation descriptor-loop: queue 0: loop? (virtio 1.2 §2.7.5.2)",
    "hart0       supervisor external interrupt taken, U -> S 0x80000100 <trap_entry>",
    "hart0       waits for an interrupt",
    "hart0       goes on, 1000 steps of time later",
    "hart0       waits for an interrupt",
    "hart0       goes on",
    "machine     fail with code 3",
    "machine     pass",
  ]);
});

Deno.test("devices: the columns on the left, colour only if asked for", () => {
  const where: Where = { hart: 2, pc: 0xffffffff_80000010n, privilege: Privilege.S, steps: 123, now: 456 };
  const symbolize = () => ({ name: "probe", offset: 4n });
  const facts = [where, mmio(virtio0, "W", 0x30, 1)];
  const plain =
    "    2         123 S    ffffffff80000010  probe+0x4                    virtio0   W QueueSel               = 0x01";
  assertEquals(trace(facts, { symbolize, harts: 3 }), [plain]);
  const [coloured] = trace(facts, { symbolize, harts: 3, colour: true });
  // deno-lint-ignore no-control-regex
  assertEquals(coloured!.replace(/\u001b\[[0-9;]*m/g, ""), plain);
  assertEquals(coloured!.includes("\u001b[33mW\u001b[0m"), true);
});
