/** The checker's findings in every form, with their places in the source, and what is left out of them. */
import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { readElf } from "../../vm/boot/elf.ts";
import { SymbolTable } from "../../vm/boot/symbols.ts";
import { Checker } from "../../vm/check/checker.ts";
import { rulePage, rulesCalled } from "../../vm/check/explain.ts";
import { checkJson } from "../../vm/check/json.ts";
import { checkJunit } from "../../vm/check/junit.ts";
import { checkResult, type PlacedFinding, type ResultOptions } from "../../vm/check/result.ts";
import { rules } from "../../vm/check/rules.ts";
import { checkSarif } from "../../vm/check/sarif.ts";
import { parseSuppressions } from "../../vm/check/suppressions.ts";
import { checkReport } from "../../vm/check/text.ts";
import { guestView } from "../../vm/cli/stacks.ts";
import { DebugInfo } from "../../vm/debug/debug_info.ts";
import type { EngineName, Machine } from "../../vm/machine.ts";
import { bootImage } from "../support/boot_image.ts";
import { BEGUN, CheckRig, LIVE, PROBE, RESET } from "../support/check_rig.ts";
import { sarifProblems } from "../support/sarif.ts";

const FILE = "block_errors.elf";
const elf = readElf(Deno.readFileSync(new URL(`../../images/${FILE}`, import.meta.url)), FILE);
const symbols = new SymbolTable(elf.symbols);
const names: ResultOptions = {
  symbolize: (addr) => symbols.find(addr),
  sources: new DebugInfo(elf.sections, elf.xlen),
};

/** A run of the image with deliberate mistakes, with everything that is kept of the guest. */
async function checked(engine: EngineName): Promise<Checker> {
  let checker: Checker | undefined;
  await bootImage(FILE, {
    engine,
    xlen: 64,
    started: (machine: Machine) => {
      checker = new Checker("spec", guestView(machine));
      checker.attach(machine.events);
    },
  });
  return checker!;
}

const checker = await checked("interpreter");
const result = checkResult(checker, names);

Deno.test("a finding names function, file and line, who called, and draws the chain", () => {
  const { place, stack, finding } = result.findings[0]!;
  assertEquals([finding.rule.name, place.frame?.name, place.frame?.file], [
    "blk-range",
    "vm_notify",
    "guest/virtio/virtio_mmio.c",
  ]);
  const called = stack.map(({ name }) => name);
  assertEquals(called.slice(0, 3), ["writel", "vm_writel", "vm_notify"]);
  assertEquals(called.slice(-3), ["main", "lib_main", "_start"]);
  assertEquals(stack.filter(({ inlined }) => inlined).map(({ name }) => name), ["writel", "vm_writel"]);
  // The request is judged when it is done: by then the device has taken others.
  const chain = finding.drawing;
  assertEquals([chain?.kind, chain?.kind === "chain" && `queue ${chain.queue}, head ${chain.head}`], [
    "chain",
    finding.what.split(":")[0],
  ]);
});

Deno.test("findings with stacks, drawings and places are the same on every engine", async () => {
  for (const engine of ["reference", "auto"] as const) {
    assertEquals(checkJson(checkResult(await checked(engine), names), "1"), checkJson(result, "1"), engine);
  }
});

Deno.test("without debug information symbols are named, and the return address where there is one", () => {
  const plain = checkResult(checker, { symbolize: names.symbolize });
  const { stack, place } = plain.findings[0]!;
  assertEquals(stack.map(({ name }) => name), ["vm_notify", "virtqueue_notify"]);
  assertEquals(place.frame?.file, undefined);
  assertEquals(checkResult(checker).findings[0]!.stack, []);
});

Deno.test("SARIF has the standard's form; a finding has its line, and without one its address", () => {
  for (const options of [names, { symbolize: names.symbolize }, {}]) {
    const log = JSON.parse(checkSarif(checkResult(checker, options), "0.1.0", "images/a b.elf"));
    assertEquals(sarifProblems(log), []);
    const [{ results, tool }] = log.runs;
    assertEquals(results.length, 2);
    assertEquals(tool.driver.rules[results[0].ruleIndex].id, results[0].ruleId);
    const { physicalLocation } = results[0].locations[0];
    assertEquals(physicalLocation.region?.startLine > 0, options === names);
    assertEquals(physicalLocation.address.absoluteAddress, Number(result.findings[0]!.place.pc));
  }
});

Deno.test("a fault in a ring is at its store, and the notification is beside it in every form", () => {
  const rig = new CheckRig().play(LIVE);
  rig.access(true, rig.queue.avail + 4, 2, 9).access(true, rig.queue.avail + 2, 2, 1, 1).access(false, 0, 1, 0, 1);
  rig.queue.publish(9);
  rig.queue.notify();
  const found = checkResult(rig.checker);
  const [{ finding: { where, notified } }] = found.findings as [PlacedFinding];
  const [first] = JSON.parse(checkJson(found, "0.1.0")).findings;
  assertEquals([first.where.pc, first.notified.pc], [where, notified!].map(({ pc }) => `0x${pc.toString(16)}`));
  const log = JSON.parse(checkSarif(found, "0.1.0", "a.elf"));
  assertEquals(sarifProblems(log), []);
  const [{ locations, relatedLocations }] = log.runs[0].results;
  const at = [locations, relatedLocations].map(([{ physicalLocation }]) => physicalLocation.address.absoluteAddress);
  assertEquals(at, [where, notified!].map(({ pc }) => Number(pc)));
  assertStringIncludes(checkJunit(found), "where the marked field was stored");
});

Deno.test("the schema of SARIF sees what is wrong", () => {
  const log = JSON.parse(checkSarif(result, "0.1.0", "a.elf"));
  log.runs[0].results[0].level = "bad";
  delete log.runs[0].results[1].message;
  log.runs[0].extra = 1;
  assertEquals(sarifProblems(log).length, 3);
});

Deno.test("JSON has everything that the text has", () => {
  const object = JSON.parse(checkJson(result, "0.1.0"));
  assertEquals(object.findings.length, 2);
  const [first] = object.findings;
  assertEquals([first.name, first.count, first.device, first.where.file], [
    "blk-range",
    4,
    "virtio1",
    "guest/virtio/virtio_mmio.c",
  ]);
  const { passed, broken, notReached } = object.coverage;
  assertEquals([broken.length, passed.length + broken.length + notReached.length], [2, rules.length]);
});

Deno.test("JUnit has a case for each rule, and escapes what XML cannot hold", () => {
  const xml = checkJunit(result);
  assertEquals(xml.match(/<testcase /g)?.length, rules.length);
  assertEquals(xml.match(/<failure /g)?.length, 2);
  assertEquals(xml.match(/<skipped\/>/g)?.length, result.coverage.notReached.length);
  assert(/^<\?xml /.test(xml) && xml.trimEnd().endsWith("</testsuites>"));
  const rig = new CheckRig().play(`${PROBE} ${RESET} W070=2`);
  const odd = checkJunit(checkResult(rig.checker, { symbolize: () => ({ name: '<a & "b\x01">', offset: 0 }) }));
  assertStringIncludes(odd, '&lt;a &amp; "b?"&gt;');
});

Deno.test("suppressions leave out findings by rule, by function, by both; what was not needed is said", () => {
  const left = (text: string) => {
    const { findings, suppressed, unused } = checkResult(checker, { ...names, suppressions: parseSuppressions(text) });
    return [findings.map(({ finding }) => finding.rule.name), suppressed, unused.map(({ line }) => line)];
  };
  assertEquals(left("# nothing\n\n"), [["blk-range", "blk-type"], 0, []]);
  assertEquals(left("blk-range # known"), [["blk-type"], 1, []]);
  assertEquals(left("virtio-1.2/5.2.6.1-blk-range"), [["blk-type"], 1, []]);
  assertEquals(left("blk-range vm_notify\nblk-type main"), [["blk-type"], 1, [2]]);
  assertEquals(left("* vm_writel\n"), [[], 2, []]);
  for (const wrong of ["blk-ranges", "blk-range a b", "*"]) assertThrows(() => parseSuppressions(wrong), RangeError);
});

Deno.test("a level leaves out what is less severe, and says how much", () => {
  const rig = new CheckRig().play(`${BEGUN} W014=0 R010 R014`);
  const all = checkResult(rig.checker);
  assertEquals([all.findings.length, all.below], [1, 0]);
  const { findings } = checkResult(rig.checker, { level: "error" });
  assertEquals(findings.length, 1, "register-direction is an error");
  const soft = new CheckRig().play(`${BEGUN} W030=0 W038=8`);
  const none = checkResult(soft.checker, { level: "error" });
  assertEquals([none.findings.length, none.below], [0, 1]);
  assertStringIncludes(checkReport(none), "no findings (1 below the level)");
});

Deno.test("explain knows rules by id, name and statement", () => {
  const [rule] = rulesCalled("status-order");
  assertEquals(rulesCalled(rule!.id), [rule!]);
  assert(rulesCalled("basic001").includes(rule!));
  assertEquals(rulesCalled("statusorder"), []);
  for (const rule of rules) {
    const page = rulePage(rule);
    const words = page.replace(/\s+/g, " ");
    for (const text of [rule.id, rule.wrong, rule.why, rule.mend]) assertStringIncludes(words, text);
    assert(page.split("\n").every((line) => line.length <= 100), rule.id);
  }
});
