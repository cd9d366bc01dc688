/** Ports of what stands in for firmware: its console, and HTIF, for programs with a symbol `tohost`. */
import type { CharPort } from "../../devices/char_port.ts";
import { Htif, type HtifOptions } from "../../devices/htif.ts";
import type { Uart } from "../../devices/uart.ts";
import { LSR, UART } from "../../devices/uart_registers.ts";
import { type Image, physicalAddress } from "../boot/image.ts";
import type { EventStream } from "../events.ts";
import type { SbiOptions } from "../sbi/sbi.ts";

/** The HTIF of the first image that has the symbol, in memory that can be written. */
export function makeHtif(
  images: readonly Image[],
  options: Omit<HtifOptions, "tohost" | "fromhost">,
): Htif | undefined {
  for (const image of images) {
    const at = (name: string): number | undefined => {
      const address = image.symbols.addressOf(name);
      if (address === undefined || image.elf === undefined) return undefined;
      const physical = Number(physicalAddress(image.elf, address));
      return options.memory.contains(physical, 8, true) ? physical : undefined;
    };
    const tohost = at("tohost");
    if (tohost !== undefined) return new Htif({ ...options, tohost, fromhost: at("fromhost") });
  }
  return undefined;
}

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
