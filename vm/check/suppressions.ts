/**
 * Findings that somebody knows of and does not want to be told: a file with one per line, the rule's id or name or `*`,
 * and the symbol where it is broken, or none for everywhere. What follows a `#` is a comment.
 */
import type { Rule } from "./rule.ts";
import { findRule, rules } from "./rules.ts";

/** One line of the file. */
export interface Suppression {
  /** Number of its line, from 1. */
  readonly line: number;
  readonly text: string;
  /** Undefined for every rule. */
  readonly rule: Rule | undefined;
  /** Undefined for everywhere. */
  readonly symbol: string | undefined;
}

/** The rule that an id or a name means. */
export function ruleCalled(word: string): Rule | undefined {
  return findRule(word) ?? rules.find(({ id }) => id === word);
}

/**
 * Reads a file of suppressions; `alike` says what else a word may mean that is no rule, for the message.
 *
 * @throws a RangeError that says which line is wrong and why
 */
export function parseSuppressions(text: string, alike: (word: string) => string = () => ""): Suppression[] {
  return text.split("\n").flatMap((raw, i) => {
    const words = raw.replace(/#.*/, "").trim().split(/\s+/);
    const [id, symbol, more] = words;
    if (id === undefined || id === "") return [];
    const fail = (why: string): never => {
      throw new RangeError(`line ${i + 1}: ${why}`);
    };
    if (more !== undefined) fail(`expected a rule and a symbol, got "${words.join(" ")}"`);
    const rule = id === "*" ? undefined : ruleCalled(id) ?? fail(`no rule is called "${id}"${alike(id)}`);
    if (rule === undefined && symbol === undefined) fail("* needs a symbol: without one nothing would be left");
    return [{ line: i + 1, text: words.join(" "), rule, symbol }];
  });
}

/** Whether a suppression is about a rule broken in the function or functions `symbols`. */
export function covers(suppression: Suppression, rule: Rule, symbols: readonly string[]): boolean {
  const { rule: only, symbol } = suppression;
  return (only === undefined || only === rule) && (symbol === undefined || symbols.includes(symbol));
}
