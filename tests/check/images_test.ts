/** The checker on the firmware of `images/`: correct drivers are told nothing, and every engine tells the same. */
import { assert, assertEquals } from "@std/assert";
import { guestPrograms } from "../../tools/guest_images.ts";
import { Checker } from "../../vm/check/checker.ts";
import { checkResult } from "../../vm/check/result.ts";
import { guestView } from "../../vm/cli/stacks.ts";
import { checkReport } from "../../vm/check/text.ts";
import { bootImage, type BootOptions, bootOptions } from "../support/boot_image.ts";

/** Boots an image with a checker listening. */
async function checked(name: string, options: Partial<BootOptions> = {}): Promise<Checker> {
  const program = guestPrograms.find((p) => p.name === name);
  assert(program !== undefined, name);
  let checker: Checker | undefined;
  const { reason } = await bootImage(`${name}.bin`, {
    ...bootOptions(program, 64, options.version),
    engine: "interpreter",
    ...options,
    started: (machine) => {
      checker = new Checker("spec", guestView(machine));
      checker.attach(machine.events);
    },
  });
  assert(checker !== undefined);
  assertEquals(reason, "pass", name);
  checker.end();
  return checker;
}

const report = (checker: Checker) => checkReport(checkResult(checker));

const CORRECT: readonly (readonly [name: string, versions: readonly (1 | 2)[], rules: number])[] = [
  ["demo", [1, 2], 60],
  ["block", [1, 2], 60],
  ["console_echo", [1, 2], 45],
  ["late_callback", [1, 2], 45],
  ["dummy", [1, 2], 45],
  ["legacy", [1], 60],
  ["packed", [2], 60],
  ["in_order", [2], 60],
  ["ring_reset", [2], 60],
  ["suspend", [2], 60],
  ["event_idx", [1, 2], 45],
  ["indirect", [1, 2], 45],
  ["index_wrap", [1, 2], 45],
  ["notification_data", [2], 45],
  ["freeze", [1, 2], 60],
  ["block_requests", [1, 2], 60],
  ["block_queues", [1, 2], 60],
  ["console_ports", [1, 2], 45],
];

for (const [name, versions, rules] of CORRECT) {
  for (const version of versions) {
    Deno.test(`${name}, version ${version}: no finding, and at least ${rules} rules exercised`, async () => {
      const checker = await checked(name, { version });
      assertEquals(checker.findings.list.map(({ rule, what }) => `${rule.id}: ${what}`), []);
      assertEquals([...checker.unruled], []);
      assert(checker.coverage().passed.length >= rules, `${checker.coverage().passed.length}`);
    });
  }
}

Deno.test("block_errors: its deliberate mistakes and no other, told alike on every engine", async () => {
  const found = (checker: Checker) =>
    checker.findings.list.map(({ rule, device, count }) => [rule.name, device, count]);
  const first = await checked("block_errors");
  assertEquals(found(first), [["blk-range", "virtio1", 4], ["blk-type", "virtio1", 1]]);
  for (const engine of ["reference", "auto"] as const) {
    assertEquals(report(await checked("block_errors", { engine })), report(first), engine);
  }
});
