/** `explain ID`: a rule of the driver checker, on its page. */
import { reasonPage, rulePage, rulesCalled, ruleWords } from "../check/explain.ts";
import { UsageError } from "./errors.ts";
import { nearest } from "./nearest.ts";

/** Ids that are shown to who has none of them. */
const SHOWN = 5;

/** The pages of the rules that `args` name. UsageError with the nearest ones for what is none. */
export function explained(args: readonly string[]): string {
  if (args.length === 0) {
    throw new UsageError("explain needs the id of a rule, such as status-order; docs/RULES.md has them all");
  }
  return args.map((query) => {
    const rules = rulesCalled(query);
    const reason = rules.length === 0 ? reasonPage(query) : undefined;
    if (reason !== undefined) return reason;
    if (rules.length === 0) throw new UsageError(`no rule is called "${query}"${alike(query)}`);
    return rules.map(rulePage).join("\n");
  }).join("\n");
}

/** The rules that a mistyped word may mean. */
function alike(query: string): string {
  const words = ruleWords();
  const part = query.toLowerCase().replace(/^virtio-[\d.]+\/[\d.]*-?/, "");
  const holding = part.length < 3 ? [] : words.filter((word) => !word.includes("/") && word.includes(part));
  const near = nearest(part, words);
  const found = [...new Set([...(near === undefined ? [] : [near]), ...holding])].slice(0, SHOWN);
  if (found.length === 0) return "; docs/RULES.md has them all";
  return `; did you mean ${found.length === 1 ? found[0] : `one of ${found.join(", ")}`}?`;
}
