/** Each rule is broken by one driver and kept by another; no rule is without both. */
import { assert, assertEquals } from "@std/assert";
import { virtioRules } from "../../devices/virtio/rules.ts";
import { findRule, rules } from "../../vm/check/rules.ts";
import { LIVE } from "../support/check_rig.ts";
import { CLEAN, registerCases } from "./register_cases.ts";
import { memoryCases } from "./memory_cases.ts";
import { notifyCases } from "./notify_cases.ts";
import { packedCases } from "./packed_cases.ts";
import { plicCases } from "./plic_cases.ts";
import { ringCases } from "./ring_cases.ts";
import { drive, type RuleCase } from "./rule_case.ts";

const cases: Readonly<Record<string, RuleCase>> = {
  ...registerCases,
  ...ringCases,
  ...packedCases,
  ...memoryCases,
  ...notifyCases,
  ...plicCases,
};

Deno.test("every rule has a case, and every case is a rule's", () => {
  assertEquals(Object.keys(cases).sort(), rules.map((rule) => rule.name).sort());
});

Deno.test("every violation a virtio device tells has a rule", () => {
  assertEquals(Object.keys(virtioRules).filter((id) => findRule(id) === undefined), []);
});

Deno.test("names and ids are unique, sentences end, and nothing is both tolerated and refused", () => {
  assertEquals(new Set(rules.map((rule) => rule.name)).size, rules.length);
  assertEquals(new Set(rules.map((rule) => rule.id)).size, rules.length);
  for (const { id, wrong, why, mend, tolerated, refused } of rules) {
    for (const text of [wrong, why, mend]) assert(/^[A-Z0-9“].*[^.]\.$/.test(text), `${id}: ${text}`);
    assertEquals(tolerated.filter((monitor) => refused.includes(monitor)), [], id);
  }
});

for (const rule of rules) {
  const { name, id } = rule;
  const { slot, broken, found = [name], kept = LIVE, keptFound = [], unreachable } = cases[name]!;
  Deno.test(`${id}: told to a driver that breaks it`, () => {
    const rig = drive(broken, slot?.());
    assertEquals(rig.found, found);
    assert(rig.checker.coverage().broken.includes(rule));
  });
  Deno.test(`${id}: not told to a driver that keeps it`, () => {
    const rig = drive(kept, slot?.());
    assertEquals(rig.found, keptFound);
    const { passed, notReached } = rig.checker.coverage();
    assert((unreachable === undefined ? passed : notReached).includes(rule), "not exercised");
  });
}

for (const [name, version, driver] of CLEAN) {
  Deno.test(`a driver without a mistake is told nothing: ${name}`, () => {
    assertEquals(drive(driver, { version }).found, []);
  });
}
