/** Chains and rings as findings draw them: the field at fault is the one that is marked. */
import { assertEquals } from "@std/assert";
import { type Drawing, drawingLines } from "../../vm/check/drawing.ts";
import { ringCases } from "./ring_cases.ts";
import { drive } from "./rule_case.ts";

function drawn(rule: string): Drawing | undefined {
  const rig = drive(ringCases[rule]!.broken, ringCases[rule]!.slot?.());
  return rig.checker.findings.list.find((finding) => finding.rule.name === rule)?.drawing;
}

/** What stands above the mark. */
function marked(drawing: Drawing): string | undefined {
  const lines = drawingLines(drawing);
  const at = lines.findIndex((line) => /^ *\^+$/.test(line));
  if (at < 0) return undefined;
  const start = lines[at]!.indexOf("^");
  return lines[at - 1]!.slice(start, start + lines[at]!.trim().length);
}

/** By rule: what is marked in its case. */
const MARKED: Readonly<Record<string, string | RegExp>> = {
  "descriptor-loop": /^\d+$/,
  "descriptor-next-range": /^\d+$/,
  "descriptor-address": /^0x/,
  "descriptor-order": /^(0|NEXT)$/,
  "descriptor-flags": /0x/,
  "descriptor-empty": "0",
  "chain-length": /^\d+$/,
  "indirect-not-negotiated": "INDIRECT",
  "indirect-nested": "INDIRECT",
  "indirect-next": "NEXT INDIRECT",
  "indirect-length": /^\d+$/,
  "indirect-chain-length": /./,
  "avail-head-range": /^\d+$/,
  "avail-idx-jump": /^\d+$/,
};

for (const [rule, text] of Object.entries(MARKED)) {
  Deno.test(`the drawing of ${rule} marks what is at fault`, () => {
    const drawing = drawn(rule);
    const found = drawing && marked(drawing);
    if (typeof text === "string") assertEquals(found, text);
    else assertEquals(text.test(found ?? ""), true, `${found}`);
  });
}

Deno.test("a long chain is drawn in part, around what is at fault", () => {
  const descriptors = Array.from({ length: 200 }, (_, index) => ({
    index,
    table: "ring" as const,
    addr: 0x8000_0000,
    length: 1,
    flags: 1,
    next: index + 1,
  }));
  const lines = drawingLines({
    kind: "chain",
    queue: 0,
    head: 0,
    descriptors,
    marked: { at: 199, field: "next" },
  });
  assertEquals(lines.length, 1 + 1 + 24 + 1);
  assertEquals(lines.at(-2)?.trim().startsWith("199"), true);
});
