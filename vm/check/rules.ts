/** Every rule of the checker, in one table. */
import { type Rule, ruleOf, type RuleRow } from "./rule.ts";
import { accessRules } from "./rules/access.ts";
import { deviceRules } from "./rules/devices.ts";
import { lifeRules } from "./rules/life.ts";
import { memoryRules } from "./rules/memory.ts";
import { packedRules } from "./rules/packed.ts";
import { plicRules } from "./rules/plic.ts";
import { queueRules } from "./rules/queues.ts";
import { ringRules } from "./rules/rings.ts";

/** Groups of rules, with what they are about. */
export const ruleGroups: readonly { readonly title: string; readonly rules: readonly Rule[] }[] = [
  group("Registers and configuration space", accessRules),
  group("Status, features and reset", lifeRules),
  group("Queues and notifications", queueRules),
  group("Split rings", ringRules),
  group("Packed rings, order and notification data", packedRules),
  group("Memory that the device has", memoryRules),
  group("The interrupt controller", plicRules),
  group("Device types", deviceRules),
];

/** Every rule. */
export const rules: readonly Rule[] = ruleGroups.flatMap((group) => group.rules);

const byName: ReadonlyMap<string, Rule> = new Map(rules.map((rule) => [rule.name, rule]));

/** The rule called `name`; undefined if there is none. */
export function findRule(name: string): Rule | undefined {
  return byName.get(name);
}

function group(title: string, rows: Readonly<Record<string, RuleRow>>): { title: string; rules: Rule[] } {
  return { title, rules: Object.entries(rows).map(([name, row]) => ruleOf(name, row)) };
}
