import type { RegisterDef } from "../vm/bus/register.ts";

/** Register offsets. */
export const FW_CFG = { DATA: 0, SELECTOR: 8, DMA: 16, END: 24 } as const;

const SPEC = "QEMU fw_cfg";

/** Register table of the firmware configuration device. Selector and DMA address are big endian. */
export const FW_CFG_REGISTERS: readonly RegisterDef[] = [
  { name: "Data", offset: FW_CFG.DATA, size: 8, access: "R", spec: SPEC },
  { name: "Selector", offset: FW_CFG.SELECTOR, size: 2, access: "W", spec: SPEC },
  { name: "DMA", offset: FW_CFG.DMA, size: 8, access: "RW", spec: SPEC },
];
