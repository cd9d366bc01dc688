/**
 * Runs one image on one engine and prints `{"steps", "wall", "cpu", "reason"}`: a process of its own for every measurement,
 * so that none profits from code that another one has warmed up. The times are seconds of the run alone, without loading
 * Deno; `cpu` needs Linux and is absent elsewhere.
 *
 *     deno run -A tests/bench/run_image.ts IMAGE ENGINE [APPEND]
 *
 * APPEND is the kernel command line.
 */
import { readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { processorSeconds } from "./host.ts";
import { HostPacing } from "../../vm/cli/pacing.ts";
import { engineNames, Machine } from "../../vm/machine.ts";

const MEMORY = 128 << 20;

if (import.meta.main) {
  const [path, name, bootargs] = Deno.args;
  const engine = engineNames.find((known) => known === name);
  if (path === undefined || engine === undefined) {
    throw new Error(`usage: run_image.ts IMAGE ${engineNames.join("|")} [APPEND], got ${Deno.args.join(" ")}`);
  }
  const image = readImage(Deno.readFileSync(path), { name: path });
  const isa = parseIsa(image.xlen === 32 ? "rv32imac" : "rv64imac");
  const uart = { write() {}, read: () => new Uint8Array(0), onReadable() {} };
  // As the command line has it: without a clock the event loop would get its turns of 2 ms six times as often.
  const options = { isa, memorySize: MEMORY, engine, uart, slots: [], pacing: new HostPacing("none") };
  const machine = new Machine({ ...options, ...(bootargs && { bootargs }) });
  machine.load(image);
  const used = Deno.build.os === "linux" ? processorSeconds("self") : undefined;
  const start = performance.now();
  const { reason } = await machine.run();
  const wall = (performance.now() - start) / 1000;
  const cpu = used === undefined ? {} : { cpu: processorSeconds("self") - used };
  console.log(JSON.stringify({ steps: machine.clock.steps, wall, ...cpu, reason }));
}
