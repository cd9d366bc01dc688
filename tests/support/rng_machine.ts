import { VirtioRng } from "../../devices/virtio/rng.ts";
import { readImage } from "../../vm/boot/image.ts";
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { type EngineName, Machine } from "../../vm/machine.ts";
import { TestPort } from "./char_port.ts";
import type { Format } from "./rng_program.ts";

/**
 * A machine with an entropy device in its first slot and a program of assembly text at the start of RAM. The device
 * offers packed rings only to who is to use them.
 */
export function rngMachine(text: string, engine: EngineName = "auto", format: Format = "split"): Machine {
  const isa = parseIsa("rv64imac_zicntr");
  const machine = new Machine({
    isa,
    engine,
    memorySize: 1 << 20,
    uart: new TestPort(),
    slots: [{ device: new VirtioRng({ seed: 1 }), version: 2, switches: { packed: format === "packed" } }],
  });
  machine.load(readImage(new Assembler(isa).program(text, 0x8000_0000n).bytes, { name: "program" }));
  return machine;
}
