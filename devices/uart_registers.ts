import type { RegisterDef } from "../vm/bus/register.ts";

/** Register offsets; a register pair at one offset is told apart by direction, DLL and DLM by LCR.DLAB. */
export const UART = { RBR: 0, THR: 0, DLL: 0, IER: 1, DLM: 1, IIR: 2, FCR: 2, LCR: 3, MCR: 4, LSR: 5, MSR: 6, SCR: 7 };

/** Interrupt enable bits. */
export const IER = { RDI: 0x01, THRI: 0x02, RLSI: 0x04, MSI: 0x08 } as const;

/** Interrupt identifications, by falling priority; the lowest bit set means none. */
export const IIR = { RLSI: 0x06, CTI: 0x0c, RDI: 0x04, THRI: 0x02, MSI: 0x00, NONE: 0x01, FIFOS: 0xc0 } as const;

/** FIFO control bits. */
export const FCR = { ENABLE: 0x01, CLEAR_RX: 0x02, CLEAR_TX: 0x04, DMA: 0x08, TRIGGER: 0xc0 } as const;

/** Line control bits. */
export const LCR = { WLS: 0x03, STOP: 0x04, PARITY: 0x08, EPAR: 0x10, SPAR: 0x20, BREAK: 0x40, DLAB: 0x80 } as const;

/** Modem control bits. */
export const MCR = { DTR: 0x01, RTS: 0x02, OUT1: 0x04, OUT2: 0x08, LOOP: 0x10 } as const;

/** Line status bits. */
export const LSR = {
  DR: 0x01,
  OE: 0x02,
  PE: 0x04,
  FE: 0x08,
  BI: 0x10,
  THRE: 0x20,
  TEMT: 0x40,
  FIFOE: 0x80,
} as const;

/** Modem status bits: inputs, and whether they changed since the last read. */
export const MSR = {
  DCTS: 0x01,
  DDSR: 0x02,
  TERI: 0x04,
  DDCD: 0x08,
  CTS: 0x10,
  DSR: 0x20,
  RI: 0x40,
  DCD: 0x80,
} as const;

const bits = (table: Readonly<Record<string, number>>) => Object.entries(table).map(([name, mask]) => ({ name, mask }));

const SPEC = "16550D §8";

const common: readonly RegisterDef[] = [
  {
    name: "IIR",
    offset: UART.IIR,
    size: 1,
    access: "R",
    reset: IIR.NONE,
    bits: [
      {
        name: "ID",
        mask: 0x0f,
        values: { 0: "MSI", 1: "none", 2: "THRI", 4: "RDI", 6: "RLSI", 12: "CTI" },
      },
      { name: "FIFOS", mask: IIR.FIFOS },
    ],
    spec: `${SPEC}.6`,
  },
  {
    name: "FCR",
    offset: UART.FCR,
    size: 1,
    access: "W",
    bits: [
      ...bits({ ENABLE: FCR.ENABLE, CLEAR_RX: FCR.CLEAR_RX, CLEAR_TX: FCR.CLEAR_TX, DMA: FCR.DMA }),
      { name: "TRIGGER", mask: FCR.TRIGGER, values: { 0: "1", 1: "4", 2: "8", 3: "14" } },
    ],
    spec: `${SPEC}.5`,
  },
  { name: "LCR", offset: UART.LCR, size: 1, access: "RW", reset: 0, bits: bits(LCR), spec: `${SPEC}.1` },
  { name: "MCR", offset: UART.MCR, size: 1, access: "RW", reset: 0, bits: bits(MCR), spec: `${SPEC}.8` },
  {
    name: "LSR",
    offset: UART.LSR,
    size: 1,
    access: "R",
    reset: LSR.THRE | LSR.TEMT,
    bits: bits(LSR),
    spec: `${SPEC}.4`,
  },
  { name: "MSR", offset: UART.MSR, size: 1, access: "R", bits: bits(MSR), spec: `${SPEC}.9` },
  { name: "SCR", offset: UART.SCR, size: 1, access: "RW", reset: 0, spec: `${SPEC}.10` },
];

/** Register table while LCR.DLAB is 0. */
export const UART_REGISTERS: readonly RegisterDef[] = [
  { name: "RBR", offset: UART.RBR, size: 1, access: "R", spec: SPEC },
  { name: "THR", offset: UART.THR, size: 1, access: "W", spec: SPEC },
  { name: "IER", offset: UART.IER, size: 1, access: "RW", reset: 0, bits: bits(IER), spec: `${SPEC}.7` },
  ...common,
];

/** Register table while LCR.DLAB is 1: the divisor latch takes the first two places. */
export const UART_DLAB_REGISTERS: readonly RegisterDef[] = [
  { name: "DLL", offset: UART.DLL, size: 1, access: "RW", reset: 12, spec: `${SPEC}.3` },
  { name: "DLM", offset: UART.DLM, size: 1, access: "RW", reset: 0, spec: `${SPEC}.3` },
  ...common,
];
