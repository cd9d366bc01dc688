/**
 * Ringside as a library: a RISC-V machine with virtio devices that runs an image in this process, and tells what its
 * guest does. It needs nothing of Deno: with an image from elsewhere the same code runs in a browser.
 *
 * Put an image into a {@linkcode Machine}, give it devices, listen to its {@linkcode EventStream}, and run it:
 *
 * ```ts
 * import { Assembler, Machine, parseIsa, readImage, VirtioRng } from "./mod.ts";
 *
 * // A program that reads the DeviceID of the first virtio slot, prints it as a digit, and ends the run.
 * const isa = parseIsa("rv64imac");
 * const { bytes } = new Assembler(isa).program(`
 *   li t0, 0x10001000     # virtio slot 0
 *   lw t1, 8(t0)          # DeviceID
 *   addi t1, t1, '0'
 *   li t0, 0x10000000     # UART
 *   sb t1, 0(t0)
 *   li t0, 0x100000       # finisher
 *   li t1, 0x5555
 *   sw t1, 0(t0)
 * `, 0x8000_0000n);
 *
 * let output = "";
 * const machine = new Machine({
 *   isa,
 *   memorySize: 1 << 20,
 *   uart: {
 *     write: (text) => void (output += new TextDecoder().decode(text)),
 *     read: () => new Uint8Array(0),
 *     onReadable() {},
 *   },
 *   slots: [{ device: new VirtioRng(), version: 2 }],
 * });
 * const accesses: string[] = [];
 * machine.events.on("mmio", ({ device, offset }, { pc }) => {
 *   accesses.push(`${device?.name}+0x${offset.toString(16)} from 0x${pc.toString(16)}`);
 * });
 * machine.load(readImage(bytes, { name: "device_id" }));
 * const stop = await machine.run({ steps: 1000 });
 *
 * if (stop.reason !== "pass" || output !== "4") throw new Error(`${stop.reason}: ${output}`);
 * if (accesses[0] !== "virtio0+0x8 from 0x80000004") throw new Error(accesses.join("\n"));
 * ```
 *
 * - Instructions one by one: {@linkcode EventStream.onRecords} with a {@linkcode CommitWriter}, {@linkcode TextWriter}
 *   or {@linkcode JsonWriter}. What devices do: {@linkcode DeviceTrace}, or a listener of your own.
 * - A virtio device type of your own: {@linkcode VirtioDevice}. Any other device: {@linkcode Device} on
 *   {@linkcode Machine.bus}. `docs/ADDING_A_DEVICE.md` builds one of each.
 * - How it all hangs together: `docs/ARCHITECTURE.md`.
 *
 * @module
 */
export { engineNames, Machine } from "./machine.ts";
export type { EngineName, MachineOptions, Pacing, SlotOptions, Stop, StopBy, StopReason } from "./machine.ts";

// What goes in: the ISA and the image.
export { parseIsa } from "./isa/table.ts";
export type { Isa } from "./isa/table.ts";
export type { InstructionClass, Xlen } from "./isa/row.ts";
export type { Boot, BootFile, BootFiles } from "./boot/boot.ts";
export { type BootMachine, planBoot } from "./boot/plan.ts";
export { ImageError } from "./boot/error.ts";
export { readImage } from "./boot/image.ts";
export type { Image, ImageOptions, ImagePart, LoadedRange } from "./boot/image.ts";
export { SymbolTable } from "./boot/symbols.ts";
export type { SymbolPlace, SymbolSource } from "./boot/symbols.ts";

// What comes out: facts, and writers of traces.
export { EventStream, Privilege, RECORD, RecordFlag, RecordKind } from "./events.ts";
export type {
  ConsoleEvent,
  DescriptorFact,
  EventDevice,
  FactKind,
  FactListener,
  FactOf,
  IrqEvent,
  MachineEvent,
  MachineFact,
  MmioEvent,
  RecordListener,
  TrapEvent,
  TrapReturnEvent,
  ViolationEvent,
  VirtioDeviceEvent,
  VirtqueueEvent,
  WfiEvent,
  Where,
} from "./events.ts";
export { CommitWriter } from "./trace/commit.ts";
export type { CommitOptions } from "./trace/commit.ts";
export { deviceFacts, DeviceTrace } from "./trace/devices.ts";
export type { DeviceTraceOptions } from "./trace/devices.ts";
export { compileFilter, parseFilter } from "./trace/filter.ts";
export type { FilterSpec, RecordFilter } from "./trace/filter.ts";
export { JsonWriter } from "./trace/jsonl.ts";
export type { JsonOptions } from "./trace/jsonl.ts";
export { MemorySink } from "./trace/sink.ts";
export type { ByteSink, RecordWriter } from "./trace/sink.ts";
export type { Symbolizer, SymbolRange } from "./trace/symbolizer.ts";
export { TextWriter } from "./trace/text.ts";
export type { TextOptions } from "./trace/text.ts";

// The machine's parts.
export { boardEntry, virtBoard } from "./board.ts";
export type { BoardEntry, BoardKind } from "./board.ts";
export { Bus } from "./bus/bus.ts";
export type { BusEntry, Mapping } from "./bus/bus.ts";
export { Clock } from "./bus/clock.ts";
export type { Deadline } from "./bus/clock.ts";
export { BUS_FAULT } from "./bus/device.ts";
export type { AccessSize, Device } from "./bus/device.ts";
export type { IrqLine } from "./bus/irq.ts";
export { GuestMemory } from "./bus/memory.ts";
export type { MemoryRegion, WriteListener } from "./bus/memory.ts";
export type { RegisterBits, RegisterDef } from "./bus/register.ts";
export { Hart } from "./hart/hart.ts";
export type { Death } from "./hart/death.ts";
export type { PmpEntries } from "./hart/pmp.ts";
export { Plic } from "../devices/plic.ts";
export type { PlicOptions } from "../devices/plic.ts";

// Devices and what is behind them.
export { HostError } from "../devices/block_backend.ts";
export type { BlockBackend } from "../devices/block_backend.ts";
export type { CharPort } from "../devices/char_port.ts";
export { MemoryDisk } from "../devices/host/memory.ts";
export { VirtioBlk } from "../devices/virtio/blk.ts";
export { blkSwitches } from "../devices/virtio/blk_config.ts";
export type { BlkLifetime, BlkOptions, BlkSwitchName } from "../devices/virtio/blk_config.ts";
export { consoleSwitches, VirtioConsole } from "../devices/virtio/console.ts";
export type { ConsoleOptions, ConsolePortOptions, ConsoleSwitchName } from "../devices/virtio/console.ts";
export { VirtioDummy } from "../devices/virtio/dummy.ts";
export type { DummyOptions } from "../devices/virtio/dummy.ts";
export { VirtioRng } from "../devices/virtio/rng.ts";
export type { RngOptions } from "../devices/virtio/rng.ts";

// For device types of your own.
export { Chain, ChainReader, ChainWriter } from "../devices/virtio/chain.ts";
export type { ChainCursor } from "../devices/virtio/chain.ts";
export { ConfigSpace } from "../devices/virtio/config.ts";
export type { ConfigField, ConfigWriteListener } from "../devices/virtio/config.ts";
export type { QueueDef, SharedMemory, VirtioDevice, VirtioTransport } from "../devices/virtio/device.ts";
export { FeatureSet } from "../devices/virtio/feature_set.ts";
export { featureSwitches } from "../devices/virtio/offered.ts";
export type { FeatureSwitch, FeatureSwitches, FeatureSwitchName, SwitchesOf } from "../devices/virtio/offered.ts";
export type { Virtqueue } from "../devices/virtio/queue.ts";
export { virtioRules } from "../devices/virtio/rules.ts";
export type { VirtioRule } from "../devices/virtio/rules.ts";

// Instructions and their text.
export { Assembler, AssemblyError } from "./isa/assemble.ts";
export type { Program } from "./isa/assemble.ts";
export { Disassembler } from "./isa/disassemble.ts";
export type { DisassembleOptions, InstructionText } from "./isa/disassemble.ts";
export type { Encoded } from "./isa/encode.ts";
