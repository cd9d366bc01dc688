/**
 * Runs one image on one engine and prints `{"steps", "seconds", "reason"}`: a process of its own for every measurement,
 * so that none profits from code that another one has warmed up. `seconds` is the run alone, without loading Deno.
 *
 *     deno run -A tests/bench/run_image.ts IMAGE ENGINE
 */
import { readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { engineNames, Machine } from "../../vm/machine.ts";

const MEMORY = 128 << 20;

if (import.meta.main) {
  const [path, name] = Deno.args;
  const engine = engineNames.find((known) => known === name);
  if (path === undefined || engine === undefined) {
    throw new Error(`usage: run_image.ts IMAGE ${engineNames.join("|")}, got ${Deno.args.join(" ")}`);
  }
  const image = readImage(Deno.readFileSync(path), { name: path });
  const isa = parseIsa(image.xlen === 32 ? "rv32imac" : "rv64imac");
  const uart = { write() {}, read: () => new Uint8Array(0), onReadable() {} };
  const machine = new Machine({ isa, memorySize: MEMORY, engine, uart, slots: [] });
  machine.load(image);
  const start = performance.now();
  const { reason } = await machine.run();
  const seconds = (performance.now() - start) / 1000;
  console.log(JSON.stringify({ steps: machine.clock.steps, seconds, reason }));
}
