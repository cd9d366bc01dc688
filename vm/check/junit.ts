/** Findings as a JUnit report, which CI systems show: a rule is a test, passed, failed, or skipped where not reached. */
import type { CheckResult, PlacedFinding } from "./result.ts";
import { ruleGroups } from "./rules.ts";
import type { Rule } from "./rule.ts";
import { findingText } from "./text.ts";

/** The result as XML, with a newline at the end. */
export function checkJunit(result: CheckResult): string {
  const { coverage, findings } = result;
  const broken = new Map<Rule, PlacedFinding[]>();
  for (const placed of findings) {
    const { rule } = placed.finding;
    broken.set(rule, [...broken.get(rule) ?? [], placed]);
  }
  const skipped = new Set(coverage.notReached);
  const considered = new Set([...coverage.passed, ...coverage.broken, ...coverage.notReached]);
  const suites = ruleGroups.map(({ title, rules }) => {
    const cases = rules.filter((rule) => considered.has(rule));
    const failures = cases.filter((rule) => broken.has(rule)).length;
    const skips = cases.filter((rule) => skipped.has(rule)).length;
    const head = `name="${attribute(title)}" tests="${cases.length}" failures="${failures}" skipped="${skips}"`;
    const lines = cases.map((rule) => testcase(rule, title, broken.get(rule), skipped.has(rule), result));
    return `  <testsuite ${head}>\n${lines.join("")}  </testsuite>\n`;
  });
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="ringside">\n${suites.join("")}</testsuites>\n`;
}

function testcase(
  rule: Rule,
  suite: string,
  broken: readonly PlacedFinding[] | undefined,
  skipped: boolean,
  result: CheckResult,
): string {
  const head = `    <testcase classname="${attribute(suite)}" name="${attribute(rule.id)}"`;
  if (broken !== undefined) {
    const texts = broken.map((placed) => findingText(placed, result)).join("\n\n");
    const failure = `<failure message="${attribute(rule.wrong)}" type="${rule.severity}">${content(texts)}</failure>`;
    return `${head}>\n      ${failure}\n    </testcase>\n`;
  }
  return skipped ? `${head}><skipped/></testcase>\n` : `${head}/>\n`;
}

/** Text between tags: what XML 1.0 has no way to write becomes a question mark. */
function content(text: string): string {
  // deno-lint-ignore no-control-regex
  const legal = text.replace(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, "?");
  return legal.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

function attribute(text: string): string {
  return content(text).replaceAll('"', "&quot;").replaceAll("\n", "&#10;");
}
