/** Numbers of the RISC-V SBI specification 2.0. */

/** Error codes (sbi §3). */
export const SbiError = {
  SUCCESS: 0,
  FAILED: -1,
  NOT_SUPPORTED: -2,
  INVALID_PARAM: -3,
  DENIED: -4,
  INVALID_ADDRESS: -5,
  ALREADY_AVAILABLE: -6,
  ALREADY_STARTED: -7,
  ALREADY_STOPPED: -8,
} as const;
export type SbiError = typeof SbiError[keyof typeof SbiError];

/** Extension ids: those of the legacy extension (sbi §5) are its functions. */
export const Extension = {
  LEGACY_SET_TIMER: 0x00,
  LEGACY_CONSOLE_PUTCHAR: 0x01,
  LEGACY_CONSOLE_GETCHAR: 0x02,
  LEGACY_CLEAR_IPI: 0x03,
  LEGACY_SEND_IPI: 0x04,
  LEGACY_REMOTE_FENCE_I: 0x05,
  LEGACY_REMOTE_SFENCE_VMA: 0x06,
  LEGACY_REMOTE_SFENCE_VMA_ASID: 0x07,
  LEGACY_SHUTDOWN: 0x08,
  BASE: 0x10,
  TIME: 0x5449_4d45,
  IPI: 0x0073_5049,
  RFENCE: 0x5246_4e43,
  HSM: 0x0048_534d,
  SRST: 0x5352_5354,
  DBCN: 0x4442_434e,
} as const;

/** States of a hart (sbi §9, table 22) that a hart can be seen in: changes between them take no time here. */
export const HartState = { STARTED: 0, STOPPED: 1, SUSPENDED: 4 } as const;
export type HartState = typeof HartState[keyof typeof HartState];

/** Kinds of suspension (sbi §9.4). */
export const Suspend = { RETENTIVE: 0x0000_0000, NON_RETENTIVE: 0x8000_0000 } as const;

/** Types and reasons of a system reset (sbi §10.1). */
export const Reset = { SHUTDOWN: 0, COLD_REBOOT: 1, WARM_REBOOT: 2, NO_REASON: 0, SYSTEM_FAILURE: 1 } as const;

/** What the base extension says of this implementation (sbi §4). */
export const Implementation = {
  /** Version 2.0 of the specification. */
  SPEC_VERSION: 0x0200_0000,
  /** No number is registered for Ringside; this one spells "RING". */
  ID: 0x5249_4e47,
  VERSION: 1,
} as const;
