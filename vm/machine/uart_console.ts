import type { CharPort } from "../../devices/char_port.ts";
import type { Uart } from "../../devices/uart.ts";
import { LSR, UART } from "../../devices/uart_registers.ts";
import type { EventStream } from "../events.ts";
import type { SbiOptions } from "../sbi/sbi.ts";

/**
 * The console of what stands in for firmware, which is the port of the UART: written to whatever state a driver has the
 * UART in, and read through it, as firmware reads it, so that no byte overtakes another.
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
