/** The ISA of a machine that is told none. */
import type { Image } from "../boot/image.ts";
import { archOf, flagExtensions } from "../boot/riscv_attributes.ts";
import { extensions } from "../isa/table.ts";

/** What QEMU's `virt` has by default, as far as it is built. */
export const DEFAULT_ISA = {
  32: "rv32gc_zba_zbb_zbc_zbs_zicbom_zicboz_zihintpause_zihpm_sstc_svadu_svinval",
  64: "rv64gc_zba_zbb_zbc_zbs_zicbom_zicboz_zihintpause_zihpm_sstc_svadu_svinval_svnapot_svpbmt",
} as const;

/**
 * That, and what the ELF files among `images` say that they were built for, as far as there is such an extension: a file
 * built with `-march=rv64gc_zicond` finds Zicond. What there is not, the guest finds missing when it comes to it.
 */
export function defaultIsa(xlen: 32 | 64, images: readonly Image[] = []): string {
  const known = extensions.map((e) => e.name);
  const asked = images.flatMap(({ elf }) =>
    elf === undefined ? [] : [...extensionsIn(archOf(elf)), ...flagExtensions(elf)]
  );
  const more = asked.filter((name) => known.includes(name));
  return [DEFAULT_ISA[xlen], ...new Set(more)].join("_");
}

/** The extensions that an ISA string names: `rv64imac_zicsr` has five. */
function extensionsIn(isa: string | undefined): string[] {
  const [first = "", ...others] = isa?.split("_") ?? [];
  return [...first.replace(/^rv(32|64)/, ""), ...others];
}
