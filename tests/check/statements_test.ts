/** Every statement that binds a driver has a rule, or a reason why it has none. */
import { assert, assertEquals } from "@std/assert";
import { statementsOf } from "../../vm/check/rule.ts";
import { rules } from "../../vm/check/rules.ts";
import { statementCoverage, statementNumbers, unchecked, uncheckedStatement } from "../../vm/check/statements.ts";

const cited = new Set(rules.flatMap(({ statement }) => statementsOf(statement)));
const excused = unchecked.flatMap(({ statements }) => statementsOf(statements));

Deno.test("every statement with MUST or SHOULD that binds a driver has a rule or a reason, and none has both", () => {
  const numbers = statementNumbers();
  assertEquals(numbers.filter((number) => !cited.has(number) && !excused.includes(number)), []);
  assertEquals(excused.filter((statement) => cited.has(statement)), []);
  assertEquals(new Set(excused).size, excused.length);
});

Deno.test("rules and reasons name statements that there are", () => {
  const numbers = new Set(statementNumbers());
  const named = [...cited, ...excused].filter((statement) => !statement.startsWith("implied:"));
  assertEquals(named.filter((statement) => !numbers.has(statement)), []);
});

Deno.test("the figure is of all of them", () => {
  const { checked, all } = statementCoverage();
  assertEquals(all, checked + excused.filter((statement) => !statement.startsWith("implied:")).length);
  assert(checked > all / 2, `${checked} of ${all}`);
});

Deno.test("a reason is found by its statement", () => {
  assertEquals(uncheckedStatement("blk112"), uncheckedStatement("blk108"));
  assertEquals(uncheckedStatement("basic001"), undefined);
});

Deno.test("reasons are sentences", () => {
  for (const { asks, why } of unchecked) {
    assert(/^[A-Z].*\.$/.test(asks), asks);
    assert(/\.$/.test(why), why);
  }
});
