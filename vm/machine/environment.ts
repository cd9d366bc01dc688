/** The built-in SBI, joined to the machine. */
import type { CharPort } from "../../devices/char_port.ts";
import type { Uart } from "../../devices/uart.ts";
import { LSR, UART } from "../../devices/uart_registers.ts";
import type { GuestMemory } from "../bus/memory.ts";
import type { EventStream } from "../events.ts";
import type { Hart } from "../hart/hart.ts";
import { Sbi, type SbiEnd, type SbiOptions } from "../sbi/sbi.ts";

/** What it is joined to. */
export interface EnvironmentOptions {
  readonly harts: readonly Hart[];
  readonly memory: GuestMemory;
  readonly events: EventStream;
  readonly uart: Uart;
  /** What is at the other end of the UART. */
  readonly port: CharPort;
  readonly finish: (how: SbiEnd, code: number) => void;
}

/** Makes the environment of a machine. */
export function makeEnvironment({ harts, memory, events, uart, port, finish }: EnvironmentOptions): Sbi {
  const end = (how: SbiEnd, code: number): void => {
    if (events.wants("machine")) events.emit({ kind: "machine", step: how, code });
    finish(how, code);
  };
  return new Sbi({ harts, memory, console: uartConsole(uart, port, events), end });
}

/**
 * The console is the port of the UART: written to whatever state a driver has the UART in, and read through it, as
 * firmware reads it, so that no byte overtakes another.
 */
export function uartConsole(uart: Uart, port: CharPort, events: EventStream): SbiOptions["console"] {
  return {
    write: (bytes) => {
      if (events.wants("console")) events.emit({ kind: "console", device: uart.name, direction: "out", bytes });
      port.write(bytes);
    },
    read: (max) => {
      const taken: number[] = [];
      while (taken.length < max && (uart.read(UART.LSR, 1) & LSR.DR) !== 0) taken.push(uart.read(UART.RBR, 1));
      return Uint8Array.from(taken);
    },
  };
}
