/**
 * Runs one image on one engine and prints how far it was when: `{"samples": [[MILLISECONDS, STEPS], …], "pause"}`, a sample
 * for every round of the machine that is at least 0.2 ms after the one before. `pause` is the longest time in milliseconds
 * in which the machine gave the host no turn.
 *
 *     deno run -A tests/bench/warmup_run.ts IMAGE ENGINE [APPEND]
 */
import { readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { engineNames, Machine } from "../../vm/machine.ts";

const MEMORY = 128 << 20;
/** Milliseconds between samples, at least. */
const APART = 0.2;

/** What it prints. */
export interface WarmUp {
  readonly samples: readonly (readonly [milliseconds: number, steps: number])[];
  readonly pause: number;
}

if (import.meta.main) {
  const [path, name, bootargs] = Deno.args;
  const engine = engineNames.find((known) => known === name);
  if (path === undefined || engine === undefined) {
    throw new Error(`usage: warmup_run.ts IMAGE ${engineNames.join("|")} [APPEND], got ${Deno.args.join(" ")}`);
  }
  const image = readImage(Deno.readFileSync(path), { name: path });
  const isa = parseIsa(image.xlen === 32 ? "rv32imac" : "rv64imac");
  const uart = { write() {}, read: () => new Uint8Array(0), onReadable() {} };
  const samples: [number, number][] = [];
  let pause = 0;
  let last = 0;
  const sample = () => {
    const at = performance.now() - start;
    pause = Math.max(pause, at - last);
    last = at;
    if (samples.length === 0 || at - samples.at(-1)![0] >= APART) samples.push([at, machine.clock.steps]);
  };
  const pacing = {
    turnDue: () => {
      sample();
      return false;
    },
    live: () => false,
    sleep: () => Promise.resolve(0),
  };
  const options = { isa, memorySize: MEMORY, engine, uart, slots: [], pacing };
  const machine = new Machine({ ...options, ...(bootargs && { bootargs }) });
  machine.load(image);
  const start = performance.now();
  const { reason } = await machine.run();
  sample();
  if (reason !== "pass") throw new Error(`${path}: ended with "${reason}", expected "pass"`);
  console.log(JSON.stringify({ samples, pause } satisfies WarmUp));
}
