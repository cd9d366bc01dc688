/** What the checker keeps of what it sees: once per rule and place, bounded, with where it was and what led there. */
import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { rulesDocument } from "../../vm/check/document.ts";
import { FINDINGS_MAX } from "../../vm/check/finding.ts";
import type { Checker } from "../../vm/check/checker.ts";
import type { Names } from "../../vm/check/places.ts";
import { checkResult } from "../../vm/check/result.ts";
import { rules } from "../../vm/check/rules.ts";
import { checkReport } from "../../vm/check/text.ts";
import { Writers } from "../../vm/check/writers.ts";
import { Privilege } from "../../vm/events.ts";
import { AGREED, BEGUN, CheckRig, LIVE, PROBE, PROGRAM, QUEUE, RESET, START } from "../support/check_rig.ts";

const symbolize = (addr: bigint) => ({ name: "probe", offset: addr - PROGRAM });

const report = (checker: Checker, names: Names = {}) => checkReport(checkResult(checker, names));

/** Has the program be at `pc` for good. */
function at(rig: CheckRig, pc: bigint): void {
  rig.d.board.events.where = () => ({ hart: 0, pc, privilege: Privilege.M, steps: 1000, now: 1000 });
}

Deno.test("a finding tells what, where, why, how to mend it, and what the driver had done", () => {
  const { checker } = new CheckRig().play(`${PROBE} ${RESET} W070=2`);
  const { passed, broken, notReached } = checker.coverage();
  assertEquals(broken.length, 1);
  assertEquals(
    report(checker, { symbolize }),
    `error: virtio0 (Ringside test device): A status bit was set before the one that the initialisation
  has before it.
  seen   Status := 0x02: DRIVER before ACKNOWLEDGE; once
  where  probe+0x18 (0x80000018); M mode, hart 0, after 6 instructions
  why    The steps tell the device what it may rely on: ACKNOWLEDGE, DRIVER, FEATURES_OK, DRIVER_OK.
         A strict device ignores a step out of turn, and the driver waits for a device that was
         never started.
  mend   Set the bits one by one in that order, each time adding to what was written before (1, 3,
         0xb, 0xf).
  rule   virtio-1.2/3.1.1-status-order; virtio 1.2 §3.1.1, MUST (1.0 to 1.4), statement basic001
  hosts  QEMU tolerates it; Firecracker refuses it
  what the driver did with virtio0 since its reset:
    W Status            = 0x00                        probe+0x10 (0x80000010)
    R Status            = 0x00                        probe+0x14 (0x80000014)
    W Status            = 0x02 DRIVER                 probe+0x18 (0x80000018)

what the words mean:
  Status           register that says how far the driver is: ACKNOWLEDGE 1, DRIVER 2, FEATURES_OK 8,
                   DRIVER_OK 4, one after the other; FAILED 0x80: the driver gave up;
                   DEVICE_NEEDS_RESET 0x40: the device did; writing 0 resets the device

driver check: 1 error; of ${rules.length} rules ${
      passed.length + 1
    } exercised: ${passed.length} passed, 1 broken; ${notReached.length} not reached
`,
  );
});

Deno.test("a finding in a read has the read in its history, too", () => {
  const rig = new CheckRig().play(`${PROBE} R0c4`);
  const [finding] = rig.checker.findings.list;
  assertEquals(finding?.rule.name, "register-undefined");
  assertEquals(finding?.history.first.map(({ fact }) => fact.offset), [0, 4, 8, 0xc4]);
  const first = new CheckRig().play("R0c4 R000").checker.findings.list[0];
  assertEquals(first?.history.first.map(({ fact }) => fact.offset), [0xc4], "the first access of all");
});

Deno.test("what a device finds in a request is told where it was notified, however much later it looks", () => {
  const rig = new CheckRig().play(LIVE);
  rig.queue.publish(9);
  rig.queue.notify();
  const [finding] = rig.checker.findings.list;
  const notify = finding?.history.first.at(-1);
  assertEquals([finding?.rule.name, notify?.fact.offset], ["avail-head-range", 0x50]);
  assertEquals(finding?.where, notify?.where);
});

Deno.test("what is wrong in a ring is told where it was stored, with the notification beside it", () => {
  const rig = new CheckRig().play(LIVE);
  // The entry, a fence, idx, a fence; then the same in memory.
  rig.access(true, rig.queue.avail + 4, 2, 9).access(true, rig.queue.avail + 2, 2, 1, 1).access(false, 0, 1, 0, 1);
  rig.queue.publish(9);
  rig.queue.notify();
  const [finding] = rig.checker.findings.list;
  const notify = finding?.history.first.at(-1);
  assertEquals([finding?.rule.name, notify?.fact.offset], ["avail-head-range", 0x50]);
  assertEquals(finding?.notified, notify?.where);
  assertEquals(notify!.where.steps - finding!.where.steps, 3);
  const text = report(rig.checker, { symbolize }).replace(/\s+/g, " ");
  assertStringIncludes(text, "where probe+0x78 (0x80000078), where the marked field was stored; M mode");
  assertStringIncludes(text, "notify probe+0x84 (0x80000084), after 33 instructions; the device read it then");
});

Deno.test("the mark of a packed entry that was used is nobody's: its store says nothing of the next one", () => {
  const writers = new Writers();
  const queue = { kind: "virtqueue", device: "virtio0", queue: 0 } as const;
  const layout = { format: "packed", size: 8, desc: 0x1000, driver: 0x2000, device_area: 0x2004 } as const;
  writers.step({ ...queue, step: "configured", ...layout });
  const where = { hart: 0, pc: 4n, privilege: Privilege.M, steps: 1, now: 1 };
  const entry = { table: "ring", addr: 0, length: 8, flags: 0, next: 0 } as const;
  for (const slot of [0, 1]) writers.access({ write: true, addr: 0x1000 + 16 * slot, size: 8, value: 0n }, where);
  for (const slot of [0, 1]) writers.access({ write: true, addr: 0x1008 + 16 * slot, size: 8, value: 0n }, where);
  writers.access({ write: false, addr: 0x1020, size: 8, value: 0n }, where);
  assertEquals([0x1000, 0x100e, 0x101c, 0x101e, 0x1020].map((addr) => writers.of(addr)?.pc), [
    4n,
    4n,
    4n,
    4n,
    undefined,
  ]);
  writers.step({ ...queue, step: "chain", head: 3, position: 0, descriptors: [{ ...entry, index: 0 }] });
  writers.step({ ...queue, step: "used", head: 3, written: 0, position: 0 });
  assertEquals([0x1000, 0x100e, 0x101e].map((addr) => writers.of(addr)?.pc), [4n, undefined, 4n]);
  writers.step({ ...queue, step: "stopped" });
  assertEquals(writers.of(0x1000), undefined);
});

Deno.test("the same mistake at one place is one finding with a count; elsewhere it is another", () => {
  const rig = new CheckRig().play(`${BEGUN} W070=1`);
  at(rig, 0x9000n);
  for (let i = 0; i < 200_000; i++) rig.d.board.events.emit(violation);
  assertEquals(rig.checker.findings.list.map(({ where, count }) => [where.pc === 0x9000n, count]), [
    [false, 1],
    [true, 200_000],
  ]);
});

Deno.test("a guest that does wrong everywhere fills no memory: findings and histories have an end", () => {
  const rig = new CheckRig().play(BEGUN);
  for (let i = 0; i < FINDINGS_MAX + 500; i++) {
    at(rig, BigInt(i));
    rig.d.board.events.emit(violation);
  }
  const { list, lost } = rig.checker.findings;
  assertEquals([list.length, lost], [FINDINGS_MAX, 500]);
  assertStringIncludes(report(rig.checker), "500 more times a rule was broken");
  const busy = new CheckRig().play(LIVE);
  for (let i = 0; i < 1000; i++) busy.play("W050=0");
  const { history } = busy.play("R0c4").checker.findings.list[0]!;
  assertEquals(history.first.length + history.last.length, 64);
  assert(history.left > 900);
  assertEquals(history.last.at(-1)?.fact.offset, 0xc4);
});

Deno.test("selecting queue after queue is bounded, and each is still judged", () => {
  const rig = new CheckRig().play(AGREED);
  for (let i = 2; i < 300; i++) rig.play(`W030=${i.toString(16)} R044 R034`);
  assertEquals(rig.found, []);
});

Deno.test("a monitor's profile neither tells nor counts what works there", () => {
  const trace = `${PROBE} ${RESET} W070=2 W070=83 W070=83`;
  const { checker, found } = new CheckRig({ profile: "qemu" }).play(trace);
  assertEquals(found, ["status-after-failed"]);
  const { passed, broken, notReached } = checker.coverage();
  assertEquals(broken.map(({ name }) => name), found);
  assert([...passed, ...broken, ...notReached].every(({ tolerated }) => !tolerated.includes("qemu")));
});

Deno.test("a machine reset is a new beginning: the next driver has to probe again", () => {
  const rig = new CheckRig().play(LIVE);
  rig.d.board.events.emit({ kind: "machine", step: "reset", code: 0 });
  rig.d.slot.reset();
  rig.play(`${PROBE} ${RESET} ${START}`);
  assertEquals(rig.found, []);
  rig.d.board.events.emit({ kind: "machine", step: "reset", code: 0 });
  rig.d.slot.reset();
  rig.play(START);
  assertEquals(rig.found, ["device-id-unread", "status-not-reset"]);
});

Deno.test("what no rule is about is counted and said", () => {
  const rig = new CheckRig().play(LIVE);
  rig.d.board.events.emit({ ...violation, device: "plic", id: "something-new" });
  assertEquals(rig.found, []);
  assertStringIncludes(report(rig.checker), "also told by a device, once: something-new");
});

Deno.test("control characters of the guest do not reach the terminal", () => {
  const { checker } = new CheckRig().play(`${AGREED} ${QUEUE} W050=0`);
  const text = report(checker, { symbolize: () => ({ name: "a\x1b[2Jb", offset: 0 }) });
  assertStringIncludes(text, "a?[2Jb");
});

Deno.test("docs/RULES.md is what the tables say (deno run -A tools/gen_rules_doc.ts)", () => {
  assertEquals(Deno.readTextFileSync(new URL("../../docs/RULES.md", import.meta.url)), rulesDocument());
});

const violation = { kind: "violation", device: "virtio0", spec: "", id: "status-cleared", what: "again" } as const;
