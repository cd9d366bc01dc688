/** ISA of a machine that is told none: what QEMU's `virt` has by default, as far as it is built. */
export const DEFAULT_ISA = {
  32: "rv32gc_zba_zbb_zbc_zbs_zicbom_zicboz_zihpm_sstc_svadu_svinval",
  64: "rv64gc_zba_zbb_zbc_zbs_zicbom_zicboz_zihpm_sstc_svadu_svinval_svnapot_svpbmt",
} as const;
