/** `explain ID`: a rule of the driver checker, on its page; `explain`: all of them. */
import { reasonPage, ruleList, rulePage, rulesCalled, ruleWords } from "../check/explain.ts";
import { UsageError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** Ids that are shown to who has none of them. */
const SHOWN = 5;

/**
 * The pages of the rules that `args` name, or a list of all rules if they name none. UsageError with the nearest ones for
 * what is no rule.
 */
export function explained(args: readonly string[]): string {
  if (args.length === 0) return ruleList();
  return args.map((query) => {
    const rules = rulesCalled(query);
    const reason = rules.length === 0 ? reasonPage(query) : undefined;
    if (reason !== undefined) return reason;
    if (rules.length === 0) throw new UsageError(`no rule is called "${query}"${rulesAlike(query)}`);
    return rules.map(rulePage).join("\n");
  }).join("\n");
}

/** `; did you mean …?`: the rules that a mistyped word may mean. */
export function rulesAlike(query: string): string {
  const words = ruleWords();
  const part = query.toLowerCase().replace(/^virtio-[\d.]+\/[\d.]*-?/, "");
  const holding = part.length < 3 ? [] : words.filter((word) => !word.includes("/") && word.includes(part));
  const near = nearest(part, words);
  const found = [...new Set([...(near === undefined ? [] : [near]), ...holding])].slice(0, SHOWN);
  if (found.length === 0) return "; docs/RULES.md has them all";
  return `; did you mean ${found.length === 1 ? found[0] : `one of ${found.join(", ")}`}?`;
}
