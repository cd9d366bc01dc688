import { assert, assertEquals } from "@std/assert";
import { HostPacing } from "../../vm/cli/pacing.ts";

/** Milliseconds of host time that `run` took, and what it gave. */
async function timed(run: () => Promise<number>): Promise<{ readonly ms: number; readonly passed: number }> {
  const start = performance.now();
  const passed = await run();
  return { ms: performance.now() - start, passed };
}

Deno.test("without input nothing is waited for", () => {
  assertEquals(new HostPacing("none").live(), false);
});

Deno.test("an idle guest's time is the host's, in the long run", async () => {
  const pacing = new HostPacing("terminal");
  let virtual = 0;
  const { ms } = await timed(async () => {
    // A tick every 0.5 ms: most of them are not slept for.
    for (let i = 0; i < 200; i++) virtual += await pacing.sleep(0.5e6);
    return virtual;
  });
  assertEquals(virtual, 100e6);
  // It is never ahead by more than it may be; a busy host may make it late.
  assert(ms > 95, `${ms} ms`);
});

Deno.test("a wake-up ends a sleep, and only what was slept has passed", async () => {
  const pacing = new HostPacing("terminal");
  setTimeout(() => pacing.input(), 20);
  const { ms, passed } = await timed(() => pacing.sleep(60_000e6));
  assert(ms < 30_000, `${ms} ms`);
  assert(passed > 10e6 && passed < 60_000e6, `${passed} ns`);
});

Deno.test("a guest without a deadline sleeps until it is woken", async () => {
  const pacing = new HostPacing("terminal");
  setTimeout(() => pacing.wake(), 20);
  const { passed } = await timed(() => pacing.sleep(Infinity));
  assert(passed > 10e6 && passed < 60_000e6, `${passed} ns`);
});

Deno.test("news of a pipe, its end above all, is waited for while no virtual time passes", async () => {
  const pacing = new HostPacing("pipe");
  setTimeout(() => pacing.end(), 1);
  assertEquals(await pacing.sleep(60_000e6), 0);
  assertEquals(pacing.live(), false);
  const silent = new HostPacing("pipe");
  const { ms, passed } = await timed(() => silent.sleep(1e6));
  assert(ms >= 19, `${ms} ms`);
  assertEquals(passed, 1e6);
});

Deno.test("the event loop is due a turn every few milliseconds, not at once again", async () => {
  const pacing = new HostPacing("none");
  assertEquals(pacing.turnDue(), false);
  await new Promise((resolve) => setTimeout(resolve, 110));
  assertEquals([pacing.turnDue(), pacing.turnDue()], [true, false]);
  pacing.input(); // somebody types
  await new Promise((resolve) => setTimeout(resolve, 30));
  assertEquals([pacing.turnDue(), pacing.turnDue()], [true, false]);
});
