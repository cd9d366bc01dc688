import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { virtBoard } from "../../vm/board.ts";
import { deviceTree, type DeviceTreeOptions, parseIsa } from "../../vm/boot/device_tree.ts";
import { decodeFdt, encodeFdt, type FdtNode, formatFdt, nodeAt, property } from "../../vm/boot/fdt.ts";
import { runTool, toolVersion, withTool } from "../support/tools.ts";

const QEMU = { 32: "qemu-system-riscv32", 64: "qemu-system-riscv64" } as const;
const qemu = {
  32: { command: QEMU[32], version: await toolVersion(QEMU[32]), accepts: /version 7\.2\./ },
  64: { command: QEMU[64], version: await toolVersion(QEMU[64]), accepts: /version 7\.2\./ },
};
const dtc = { command: "dtc", version: await toolVersion("dtc") };

/** Nodes of QEMU's tree for what this board does not have. */
const ABSENT = [
  "/pmu",
  "/platform-bus@4000000",
  "/soc/pci@30000000",
];
/** Properties that are meant to differ: phandles by their numbers, the others by what they are. */
const EXCLUDED = /#(phandle|rng-seed|riscv,isa(-base|-extensions)?|mmu-type)$/;
/**
 * `riscv,ndev` is the number of sources (linux: interrupt-controller/sifive,plic-1.0.0). QEMU 7.2 counts source 0,
 * which does not exist; QEMU 8.0 corrected it.
 */
const NDEV = { qemu72: "<0x60>", ours: "<0x5f>" };

/** Properties whose cells name other nodes: which of the cells, in a repeating pattern. */
const REFERENCES: Record<string, readonly boolean[]> = {
  "interrupt-parent": [true],
  "interrupts-extended": [true, false],
  regmap: [true],
  cpu: [true],
};

/** A tree as sorted lines `path#property = value`, with references as paths: order and phandles do not matter. */
function lines(root: FdtNode): string[] {
  const paths = new Map<number, string>();
  const view = (value: Uint8Array) => new DataView(value.buffer, value.byteOffset, value.byteLength);
  const visit = (node: FdtNode, path: string, each: (node: FdtNode, path: string) => void) => {
    each(node, path);
    for (const child of node.children) visit(child, `${path === "/" ? "" : path}/${child.name}`, each);
  };
  visit(root, "/", (node, path) => {
    const phandle = property(node, "phandle");
    if (phandle !== undefined) paths.set(view(phandle.value).getUint32(0), path);
  });
  const found: string[] = [];
  visit(root, "/", (node, path) => {
    if (ABSENT.some((absent) => path === absent || path.startsWith(`${absent}/`))) return;
    found.push(path);
    for (const p of node.properties) {
      const key = `${path}#${p.name}`;
      if (EXCLUDED.test(key)) continue;
      const pattern = REFERENCES[p.name];
      const value = pattern === undefined
        ? formatFdt({ name: "", properties: [{ ...p, name: "v" }], children: [] }).split("\n")[1]!.trim().slice(1, -1)
        : ` = ${
          Array.from({ length: p.value.length / 4 }, (_, i) => {
            const cell = view(p.value).getUint32(i * 4);
            return pattern[i % pattern.length] ? paths.get(cell) ?? `nothing (${cell})` : String(cell);
          }).join(" ")
        }`;
      found.push(key + value);
    }
  });
  return found.sort();
}

const options: DeviceTreeOptions = { harts: 2, memory: 256 << 20, isa: "rv64imac_zicsr_zifencei_zicntr" };
const RECORDED = new URL("../golden/device_tree_qemu_7.2.22.txt", import.meta.url);

function expectQemu(ours: FdtNode, theirs: readonly string[]): void {
  const ndev = "/soc/plic@c000000#riscv,ndev = ";
  assertEquals(lines(ours).filter((l) => l.startsWith(ndev)), [ndev + NDEV.ours]);
  assertEquals(lines(ours), theirs.map((l) => l === ndev + NDEV.qemu72 ? ndev + NDEV.ours : l));
}

Deno.test("device tree: equals what QEMU 7.2.22 was recorded to say, by node and property", async () => {
  expectQemu(deviceTree(options), (await Deno.readTextFile(RECORDED)).trimEnd().split("\n"));
});

async function qemuLines(xlen: 32 | 64, harts: number, megabytes: number): Promise<string[]> {
  const file = await Deno.makeTempFile({ suffix: ".dtb" });
  try {
    const args = ["-M", `virt,dumpdtb=${file}`, "-smp", `${harts}`, "-m", `${megabytes}M`, "-bios", "none"];
    const result = await runTool(QEMU[xlen], args);
    if (!result?.ok) throw new Error(`${QEMU[xlen]} ${args.join(" ")}: ${result?.stderr}`);
    return lines(decodeFdt(await Deno.readFile(file)));
  } finally {
    await Deno.remove(file);
  }
}

Deno.test(withTool("device tree: the record is what QEMU says", qemu[64], async () => {
  assertEquals((await Deno.readTextFile(RECORDED)).trimEnd().split("\n"), await qemuLines(64, 2, 256));
}));

for (
  const [xlen, harts, megabytes] of [[64, 1, 128], [64, 8, 1024], [64, 3, 3000], [32, 1, 128], [32, 4, 64]] as const
) {
  Deno.test(
    withTool(`device tree: equals QEMU's, rv${xlen}, ${harts} harts, ${megabytes} MiB`, qemu[xlen], async () => {
      const ours = deviceTree({ harts, memory: megabytes * 0x10_0000, isa: `rv${xlen}imac` });
      expectQemu(ours, await qemuLines(xlen, harts, megabytes));
    }),
  );
}

Deno.test(withTool("device tree: dtc decompiles it, with no warning that QEMU's tree does not get", dtc, async () => {
  const blob = encodeFdt(deviceTree({ ...options, bootargs: "console=ttyS0", mmu: "riscv,sv39" }));
  const result = await runTool("dtc", ["-I", "dtb", "-O", "dts"], blob);
  assertEquals(result?.ok, true, result?.stderr);
  const warnings = result!.stderr.split("\n").filter((l) => l !== "");
  // What QEMU 7.2's own tree gets from dtc 1.6.1, for the same nodes, and nothing else.
  const qemus = /Warning \(interrupt_provider\): \/cpus\/cpu@\d\/interrupt-controller: Missing #address-cells/;
  assertEquals(warnings.filter((w) => !qemus.test(w)), []);
  assertStringIncludes(result!.stdout, 'bootargs = "console=ttyS0";');
}));

Deno.test(withTool("device tree: what dtc compiles, we decode to the same tree", dtc, async () => {
  const tree = deviceTree(options);
  const source = `/dts-v1/;\n${formatFdt(tree)}`;
  const file = await Deno.makeTempFile({ suffix: ".dtb" });
  try {
    const result = await runTool("dtc", ["-q", "-I", "dts", "-O", "dtb", "-o", file], source);
    assertEquals(result?.ok, true, result?.stderr);
    assertEquals(decodeFdt(await Deno.readFile(file)), tree);
  } finally {
    await Deno.remove(file);
  }
}));

/** The text of one property. */
function text(root: FdtNode, path: string, name: string): string | undefined {
  const found = property(nodeAt(root, path)!, name);
  return found && new TextDecoder().decode(found.value).replaceAll("\0", " ").trim();
}

Deno.test("device tree: the ISA in both forms, and an MMU only where there is one", () => {
  const root = deviceTree(options);
  assertEquals(text(root, "/cpus/cpu@1", "riscv,isa"), "rv64imac_zicsr_zifencei_zicntr");
  assertEquals(text(root, "/cpus/cpu@1", "riscv,isa-base"), "rv64i");
  assertEquals(text(root, "/cpus/cpu@1", "riscv,isa-extensions"), "i m a c zicsr zifencei zicntr");
  assertEquals(text(root, "/cpus/cpu@1", "mmu-type"), undefined);
  assertEquals(text(deviceTree({ ...options, mmu: "riscv,sv39" }), "/cpus/cpu@0", "mmu-type"), "riscv,sv39");
});

Deno.test("device tree: the size of cache blocks, for the extensions that have any", () => {
  const size = (isa: string, kind: string) => {
    const found = property(nodeAt(deviceTree({ ...options, isa, cacheBlock: 64 }), "/cpus/cpu@0")!, kind);
    return found === undefined ? undefined : [...found.value];
  };
  const isa = "rv64imac_zicbom_zicboz_zicsr";
  assertEquals(size(isa, "riscv,cbom-block-size"), [0, 0, 0, 64]);
  assertEquals(size(isa, "riscv,cboz-block-size"), [0, 0, 0, 64]);
  assertEquals(size(isa, "riscv,cbop-block-size"), undefined);
  assertEquals(size("rv64imac_zicbop", "riscv,cbop-block-size"), [0, 0, 0, 64]);
});

Deno.test("device tree: ISA strings are taken apart, wrong ones refused", () => {
  assertEquals(parseIsa("rv64gc"), {
    base: "rv64i",
    extensions: ["i", "m", "a", "f", "d", "zicsr", "zifencei", "c"],
  });
  assertEquals(parseIsa("rv32ec_zicsr"), { base: "rv32e", extensions: ["e", "c", "zicsr"] });
  for (const isa of ["rv128i", "imac", "rv64", "rv64i_", "RV64I"]) assertThrows(() => parseIsa(isa), Error, isa);
});

Deno.test("device tree: a kernel's command line and RAM disk", () => {
  const root = deviceTree({
    ...options,
    bootargs: "root=/dev/vda",
    initrd: { start: 0x8800_0000, end: 0x1_0000_0001 },
  });
  assertEquals(text(root, "/chosen", "bootargs"), "root=/dev/vda");
  assertStringIncludes(formatFdt(nodeAt(root, "/chosen")!), "linux,initrd-start = <0x0 0x88000000>;");
  assertStringIncludes(formatFdt(nodeAt(root, "/chosen")!), "linux,initrd-end = <0x1 0x1>;");
});

Deno.test("device tree: virtio slots rise, and what is absent has no node", () => {
  const slots = nodeAt(deviceTree(options), "/soc")!.children.map((c) => c.name).filter((n) => n.startsWith("virtio"));
  assertEquals(slots, [1, 2, 3, 4, 5, 6, 7, 8].map((n) => `virtio_mmio@1000${n}000`));
  const board = virtBoard.map((e) => ["uart", "finisher", "virtio3"].includes(e.name) ? { ...e, present: false } : e);
  const text = formatFdt(deviceTree({ ...options, board }));
  for (const gone of ["serial", "stdout-path", "test@", "poweroff", "reboot", "virtio_mmio@10004000"]) {
    assertEquals(text.includes(gone), false, gone);
  }
  assertThrows(
    () => deviceTree({ ...options, board: virtBoard.map((e) => ({ ...e, present: true })) }),
    Error,
    "no node is known for pcie",
  );
});
