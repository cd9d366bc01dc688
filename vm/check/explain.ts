/** A rule's page for a terminal, by what somebody has of it: its id, its name, or the number of its statement. */
import { field, fields, WIDTH, wrap } from "./fields.ts";
import { type Rule, statementsOf } from "./rule.ts";
import { ruleGroups, rules } from "./rules.ts";
import { unchecked, uncheckedStatement } from "./statements.ts";
import { ruleCalled } from "./suppressions.ts";
import { monitorsText, ruleSourceText } from "./text.ts";
import { wordLines, wordsIn } from "./words.ts";

/** The rules that `query` means: by id or name one, by the number of a statement all that are about it. */
export function rulesCalled(query: string): readonly Rule[] {
  const rule = ruleCalled(query);
  if (rule !== undefined) return [rule];
  return rules.filter(({ statement }) => statement === query || statementsOf(statement).includes(query));
}

/** What is said of a statement that no rule is about; undefined if one is, or if there is no such statement. */
export function reasonPage(query: string): string | undefined {
  const found = uncheckedStatement(query);
  if (found === undefined) return undefined;
  const lines = ["No rule is about this.", "", ...fields({ asks: found.asks, why: `Not checked: ${found.why}` })];
  return `${[query, "", ...lines].join("\n")}\n`;
}

/** Every word that {@linkcode rulesCalled} knows, for "did you mean". */
export function ruleWords(): string[] {
  const without = unchecked.flatMap(({ statements }) => statementsOf(statements));
  return [...rules.flatMap(({ id, name, statement }) => [name, id, ...statementsOf(statement)]), ...without];
}

/** Every rule in a line or two, by group; ends in a newline. */
export function ruleList(): string {
  const width = Math.max(...rules.map(({ name }) => name.length)) + 4;
  const groups = ruleGroups.map(({ title, rules }) => [
    title,
    ...rules.flatMap(({ name, severity, wrong }) => field(name, `${severity}: ${wrong}`, width)),
    "",
  ]);
  return `${[...groups.flat(), "explain NAME tells more of a rule."].join("\n")}\n`;
}

/** A rule's page; ends in a newline. */
export function rulePage(rule: Rule): string {
  const { id, name, severity, wrong, why, mend, only } = rule;
  const group = ruleGroups.find((group) => group.rules.includes(rule))!.title;
  const monitors = monitorsText(rule);
  const lines = [
    id,
    "",
    ...wrap(`${severity}: ${wrong}`, WIDTH),
    "",
    ...fields({
      why,
      mend,
      rule: ruleSourceText(rule) + (only === undefined ? "" : `; ${only} devices only`),
      ...(monitors !== "" && { hosts: monitors }),
      about: group,
      skip: `a line "${name}" in a file given with --check-suppress; "${name} SYMBOL" for one function`,
    }),
    "",
    ...wordLines(wordsIn([wrong, mend, why])),
  ];
  return `${lines.join("\n").trimEnd()}\n`;
}
