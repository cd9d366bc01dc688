/** The translating engine and the reference executor with the same program, step by step. */
import { assertEquals } from "@std/assert";
import { parseIsa } from "../../vm/isa/table.ts";
import { BareMachine } from "./engine.ts";

/** Both: `auto`, then `reference`. */
export type TwoEngines = readonly [BareMachine, BareMachine];

/** Both engines with the same memory. */
export function twoEngines(image: Uint8Array, name: string): TwoEngines {
  const isa = parseIsa(name);
  const both = [new BareMachine("auto", isa), new BareMachine("reference", isa)] as const;
  for (const machine of both) machine.load(image);
  return both;
}

function stateOf({ hart, clock }: BareMachine): unknown[] {
  return [hart.steps, hart.pc, hart.privilege, clock.now, ...Array.from({ length: 32 }, (_, n) => hart.x(n))];
}

/** Runs both in stretches of all lengths, so that budgets end everywhere, and compares them after each. */
export function compareEngines([auto, reference]: TwoEngines, steps: number): void {
  let stretch = 1;
  for (let done = 0; done < steps; done += stretch, stretch = (stretch * 13 + 5) % 1531 + 1) {
    for (const machine of [auto, reference]) machine.run(stretch);
    assertEquals(stateOf(auto), stateOf(reference), `after ${reference.hart.steps} steps`);
  }
  assertEquals(auto.ram, reference.ram);
}
