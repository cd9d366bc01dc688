import type { RegisterDef } from "../vm/bus/register.ts";

/** Register offsets. */
export const RTC = {
  TIME_LOW: 0x00,
  TIME_HIGH: 0x04,
  ALARM_LOW: 0x08,
  ALARM_HIGH: 0x0c,
  IRQ_ENABLED: 0x10,
  CLEAR_ALARM: 0x14,
  ALARM_STATUS: 0x18,
  CLEAR_INTERRUPT: 0x1c,
} as const;

const SPEC = "Goldfish RTC";

function register(name: keyof typeof RTC, access: RegisterDef["access"]): RegisterDef {
  return { name, offset: RTC[name], size: 4, access, reset: 0, spec: SPEC };
}

/** Register table of the real-time clock. */
export const RTC_REGISTERS: readonly RegisterDef[] = [
  register("TIME_LOW", "RW"),
  register("TIME_HIGH", "RW"),
  register("ALARM_LOW", "RW"),
  register("ALARM_HIGH", "RW"),
  { ...register("IRQ_ENABLED", "RW"), bits: [{ name: "ALARM", mask: 1 }] },
  register("CLEAR_ALARM", "W"),
  { ...register("ALARM_STATUS", "R"), bits: [{ name: "ARMED", mask: 1 }] },
  register("CLEAR_INTERRUPT", "W"),
];
