/** What docs/RULES.md says, out of the tables of rules. */
import { wrap } from "./fields.ts";
import { type Rule, statementsOf } from "./rule.ts";
import { ruleGroups, rules } from "./rules.ts";
import { statementCoverage, type Unchecked, unchecked } from "./statements.ts";
import { monitorsText, ruleSourceText } from "./text.ts";
import { words } from "./words.ts";

/** Width of the page's lines, and of those of a list. */
const WIDTH = 120;

const HEAD = [
  "# Rules of the driver checker",
  "`--check` compares what the guest's virtio drivers do with these rules while the guest runs, and tells at the end of " +
  "the run which were broken: once for each rule and place of the program, with how often. The guest is never stopped. " +
  "`--check=qemu` and `--check=firecracker` leave out what works on that monitor all the same, `--check=legacy` what " +
  "drivers of virtio 0.9.5 were not asked for. `deno run vm/main.ts explain ID` prints one rule, `explain` alone a list. docs/OPTIONS.md has " +
  "the other options: findings as JSON, SARIF or JUnit, a file of known ones, and an exit status for CI.",
  "A rule is an **error** where the specification says MUST or the device cannot go on, a **warning** where it says " +
  "SHOULD or some devices refuse, and **advice** where most devices work and a careful driver does better.",
  "Others have checked drivers before: Akaros's monitor (2016) knew about 65 of these mistakes and stopped the machine " +
  "at the first one, QEMU logs about a dozen with `-d guest_errors`, Firecracker warns of status changes out of order, " +
  "and the COQOS hypervisor has told a driver library of a feature that it did not accept.",
  "This page is written by `deno run -A tools/gen_rules_doc.ts`.",
];

/** The page on all rules, as Markdown. */
export function rulesDocument(): string {
  const { checked, all } = statementCoverage();
  const count =
    `There are ${rules.length} rules. Of the ${all} statements with MUST or SHOULD that bind a driver of what ` +
    `Ringside has (basic facilities, both ring formats, MMIO, reserved features, block, console, entropy; virtio 1.0 to ` +
    `1.4) they are about ${checked}; the others are at the end, each with the reason.`;
  const head = [...HEAD, count].map((text) => paragraph(text));
  const groups = ruleGroups.flatMap(({ title, rules }) => [`## ${title}`, ...rules.map(ruleSection)]);
  const glossary = words.map(({ name, means }) => item(`**${name}**: ${means}`)).join("\n");
  return `${
    [...head, "## Words", glossary, ...groups, "## Statements without a rule", ...unchecked.map(reason)].join("\n\n")
  }\n`;
}

function ruleSection(rule: Rule): string {
  const { id, severity, wrong, why, mend, only } = rule;
  const interfaces = only === undefined ? "" : `; ${only} devices only`;
  const elsewhere = monitorsText(rule);
  const items = [
    `Why: ${why}`,
    `Mend: ${mend}`,
    `Source: ${ruleSourceText(rule)}${interfaces}`,
    ...(elsewhere === "" ? [] : [`Elsewhere: ${elsewhere}`]),
  ];
  return [`### ${id}`, paragraph(`**${severity}**: ${wrong}`), items.map(item).join("\n")].join("\n\n");
}

function reason({ statements, asks, why }: Unchecked): string {
  return [paragraph(`**${statementsOf(statements).join(", ")}**: ${asks}`), item(`Not checked: ${why}`)].join("\n\n");
}

function paragraph(text: string): string {
  return wrap(text, WIDTH).join("\n");
}

function item(text: string): string {
  return `- ${wrap(text, WIDTH - 2).join("\n  ")}`;
}
