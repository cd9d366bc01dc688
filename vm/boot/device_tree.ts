import {
  type BoardEntry,
  FLASH_BANKS,
  PLIC_SOURCES,
  RAM_BASE,
  TIMEBASE_HZ,
  UART_CLOCK_HZ,
  virtBoard,
} from "../board.ts";
import { cells, cells64, type FdtNode, type FdtProperty, flag, strings } from "./fdt.ts";

/** What the tree says that the board table does not. */
export interface DeviceTreeOptions {
  /** Number of harts, at least 1. */
  readonly harts: number;
  /** Size of RAM in bytes. */
  readonly memory: number;
  /** ISA string of every hart, e.g. `rv64imac_zicsr_zifencei`. */
  readonly isa: string;
  /** Largest address translation there is; absent where there is no MMU. */
  readonly mmu?: "riscv,sv32" | "riscv,sv39" | "riscv,sv48" | "riscv,sv57";
  /** Bytes of the cache blocks that Zicbom, Zicboz and Zicbop work on; told where the ISA has these. */
  readonly cacheBlock?: number;
  /** Command line of a kernel. */
  readonly bootargs?: string;
  /** Where an initial RAM disk was loaded; `end` is the byte after it. */
  readonly initrd?: { readonly start: number; readonly end: number };
  readonly board?: readonly BoardEntry[];
}

/** Interrupt causes of a hart (priv §3.1.15). */
const CAUSE = { software: 3, timer: 7, supervisorExternal: 9, machineExternal: 11 } as const;
/** Values the finisher takes for poweroff and reboot. */
const SYSCON = { poweroff: 0x5555, reboot: 0x7777 } as const;

/** Phandles: the harts' interrupt controllers, the harts, then what is referred to otherwise. */
class Phandles {
  readonly plic: number;
  readonly finisher: number;
  readonly #harts: number;

  constructor(harts: number) {
    this.#harts = harts;
    this.plic = 2 * harts + 1;
    this.finisher = 2 * harts + 2;
  }
  interruptController(hart: number): number {
    return 1 + hart;
  }
  hart(hart: number): number {
    return 1 + this.#harts + hart;
  }
}

/**
 * The device tree of the `virt` board: what QEMU's has, less what is not built. The nodes of the virtio slots rise by
 * address (QEMU's fall), so that Linux calls the disk in the lowest slot vda.
 *
 * ```ts
 * import { encodeFdt } from "./fdt.ts";
 *
 * const blob = encodeFdt(deviceTree({ harts: 1, memory: 128 << 20, isa: "rv64imac_zicsr_zifencei" }));
 * ```
 */
export function deviceTree(options: DeviceTreeOptions): FdtNode {
  const board = (options.board ?? virtBoard).filter((e) => e.present);
  const phandles = new Phandles(options.harts);
  return {
    name: "",
    properties: [
      cells("#address-cells", 2),
      cells("#size-cells", 2),
      strings("compatible", "riscv-virtio"),
      strings("model", "riscv-virtio,qemu"),
    ],
    children: [
      chosen(options, board),
      {
        name: unitName("memory", RAM_BASE),
        properties: [strings("device_type", "memory"), reg(RAM_BASE, options.memory)],
        children: [],
      },
      cpus(options, phandles),
      ...board.flatMap(rootNodes),
      ...board.filter((e) => e.kind === "finisher").flatMap(() => [
        syscon("poweroff", phandles),
        syscon("reboot", phandles),
      ]),
      {
        name: "soc",
        properties: [
          cells("#address-cells", 2),
          cells("#size-cells", 2),
          strings("compatible", "simple-bus"),
          flag("ranges"),
        ],
        children: board.flatMap((entry) => socNodes(entry, options.harts, phandles)),
      },
    ],
  };
}

const unitName = (name: string, base: number) => `${name}@${base.toString(16)}`;
const reg = (base: number, size: number) => cells("reg", ...cells64(base), ...cells64(size));

function chosen(options: DeviceTreeOptions, board: readonly BoardEntry[]): FdtNode {
  const { bootargs, initrd } = options;
  const properties: FdtProperty[] = [];
  const uart = board.find((e) => e.kind === "uart");
  if (uart !== undefined) properties.push(strings("stdout-path", `/soc/${unitName("serial", uart.base)}`));
  if (bootargs !== undefined) properties.push(strings("bootargs", bootargs));
  if (initrd !== undefined) properties.push(...initrdProperties(initrd));
  return { name: "chosen", properties, children: [] };
}

/** What /chosen says about an initial RAM disk; `end` is the byte after it. */
export function initrdProperties({ start, end }: { readonly start: number; readonly end: number }): FdtProperty[] {
  return [cells("linux,initrd-start", ...cells64(start)), cells("linux,initrd-end", ...cells64(end))];
}

function cpus(options: DeviceTreeOptions, phandles: Phandles): FdtNode {
  const ids = Array.from({ length: options.harts }, (_, hart) => hart);
  const cores = ids.map((hart): FdtNode => ({
    name: `core${hart}`,
    properties: [cells("cpu", phandles.hart(hart))],
    children: [],
  }));
  return {
    name: "cpus",
    properties: [cells("#address-cells", 1), cells("#size-cells", 0), cells("timebase-frequency", TIMEBASE_HZ)],
    children: [
      ...ids.map((hart) => cpu(hart, options, phandles)),
      { name: "cpu-map", properties: [], children: [{ name: "cluster0", properties: [], children: cores }] },
    ],
  };
}

function cpu(hart: number, options: DeviceTreeOptions, phandles: Phandles): FdtNode {
  const { base, extensions } = parseIsa(options.isa);
  return {
    name: `cpu@${hart.toString(16)}`,
    properties: [
      cells("phandle", phandles.hart(hart)),
      strings("device_type", "cpu"),
      cells("reg", hart),
      strings("status", "okay"),
      strings("compatible", "riscv"),
      strings("riscv,isa", options.isa),
      strings("riscv,isa-base", base),
      strings("riscv,isa-extensions", ...extensions),
      ...(options.mmu === undefined ? [] : [strings("mmu-type", options.mmu)]),
      ...blockSizes(options.cacheBlock, extensions),
    ],
    children: [{
      name: "interrupt-controller",
      properties: [
        cells("#interrupt-cells", 1),
        flag("interrupt-controller"),
        strings("compatible", "riscv,cpu-intc"),
        cells("phandle", phandles.interruptController(hart)),
      ],
      children: [],
    }],
  };
}

/** `riscv,cbom-block-size` and its like (linux: riscv/cpus.yaml). */
function blockSizes(bytes: number | undefined, extensions: readonly string[]): FdtProperty[] {
  if (bytes === undefined) return [];
  const kinds = ["m", "z", "p"].filter((kind) => extensions.includes(`zicbo${kind}`));
  return kinds.map((kind) => cells(`riscv,cbo${kind}-block-size`, bytes));
}

/**
 * An ISA string as the newer properties have it: base and list of extensions. `g` stands for imafd_zicsr_zifencei.
 *
 * ```ts
 * parseIsa("rv32imc_zicsr"); // { base: "rv32i", extensions: ["i", "m", "c", "zicsr"] }
 * ```
 */
export function parseIsa(isa: string): { readonly base: string; readonly extensions: readonly string[] } {
  const match = /^(rv(?:32|64))([a-z]+)((?:_[a-z][a-z0-9]+)*)$/.exec(isa);
  if (match === null) throw new Error(`device tree: "${isa}" is no ISA string such as rv64imac_zicsr`);
  const [, width, letters, rest] = match;
  const extensions = [...letters!, ...rest!.split("_").slice(1)];
  const all = extensions.flatMap((e) => e === "g" ? ["i", "m", "a", "f", "d", "zicsr", "zifencei"] : [e]);
  return { base: `${width}${all.includes("e") ? "e" : "i"}`, extensions: [...new Set(all)] };
}

function syscon(name: keyof typeof SYSCON, phandles: Phandles): FdtNode {
  return {
    name,
    properties: [
      cells("value", SYSCON[name]),
      cells("offset", 0),
      cells("regmap", phandles.finisher),
      strings("compatible", `syscon-${name}`),
    ],
    children: [],
  };
}

/** The nodes of one entry below /soc; none for what is described elsewhere. */
function socNodes(entry: BoardEntry, harts: number, phandles: Phandles): FdtNode[] {
  const node = (name: string, ...properties: FdtProperty[]): FdtNode[] => [{
    name: unitName(name, entry.base),
    properties: [...properties, reg(entry.base, entry.size), ...interrupt(entry, phandles)],
    children: [],
  }];
  switch (entry.kind) {
    case "rom":
    case "ram":
    case "fw-cfg":
    case "flash":
      return [];
    case "rtc":
      return node("rtc", strings("compatible", "google,goldfish-rtc"));
    case "finisher":
      return node(
        "test",
        cells("phandle", phandles.finisher),
        strings("compatible", "sifive,test1", "sifive,test0", "syscon"),
      );
    case "clint":
      return node(
        "clint",
        strings("compatible", "sifive,clint0", "riscv,clint0"),
        toHarts(harts, phandles, CAUSE.software, CAUSE.timer),
      );
    case "plic":
      return node(
        "plic",
        cells("phandle", phandles.plic),
        strings("compatible", "sifive,plic-1.0.0", "riscv,plic0"),
        cells("riscv,ndev", PLIC_SOURCES),
        flag("interrupt-controller"),
        cells("#address-cells", 0),
        cells("#interrupt-cells", 1),
        toHarts(harts, phandles, CAUSE.machineExternal, CAUSE.supervisorExternal),
      );
    case "uart":
      return node("serial", strings("compatible", "ns16550a"), cells("clock-frequency", UART_CLOCK_HZ));
    case "virtio-mmio":
      return node("virtio_mmio", strings("compatible", "virtio,mmio"));
    default:
      throw new Error(`device tree: no node is known for ${entry.name}, a present ${entry.kind}`);
  }
}

/** Nodes of what is not on the `soc` bus. */
function rootNodes({ kind, base, size }: BoardEntry): FdtNode[] {
  if (kind === "fw-cfg") {
    const properties = [flag("dma-coherent"), reg(base, size), strings("compatible", "qemu,fw-cfg-mmio")];
    return [{ name: unitName("fw-cfg", base), properties, children: [] }];
  }
  if (kind !== "flash") return [];
  const bank = size / FLASH_BANKS;
  const banks = Array.from({ length: FLASH_BANKS }, (_, i) => [...cells64(base + i * bank), ...cells64(bank)]);
  const properties = [cells("bank-width", 4), cells("reg", ...banks.flat()), strings("compatible", "cfi-flash")];
  return [{ name: unitName("flash", base), properties, children: [] }];
}

function interrupt(entry: BoardEntry, phandles: Phandles): FdtProperty[] {
  return entry.irq === undefined ? [] : [cells("interrupts", entry.irq), cells("interrupt-parent", phandles.plic)];
}

/** `interrupts-extended`: each of the causes at each hart, hart by hart. For the PLIC this order numbers its contexts. */
function toHarts(harts: number, phandles: Phandles, ...causes: readonly number[]): FdtProperty {
  const pairs = Array.from(
    { length: harts },
    (_, hart) => causes.flatMap((cause) => [phandles.interruptController(hart), cause]),
  );
  return cells("interrupts-extended", ...pairs.flat());
}
