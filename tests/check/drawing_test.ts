/** Chains and rings as findings draw them: the field at fault is the one that is marked. */
import { assertEquals } from "@std/assert";
import { type Drawing, drawingLines } from "../../vm/check/drawing.ts";
import { AVAIL, NEXT } from "../support/packed_driver.ts";
import { RAM } from "../support/virtio_driver.ts";
import { BUFFER, packedCases, packedDriver, use } from "./packed_cases.ts";
import { ringCases } from "./ring_cases.ts";
import { drive } from "./rule_case.ts";

const cases = { ...ringCases, ...packedCases };

function drawn(rule: string): Drawing | undefined {
  const rig = drive(cases[rule]!.broken, cases[rule]!.slot?.());
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
  "in-order-next": "3",
  "rng-direction": "0",
  "packed-id-in-flight": "0",
  "packed-list-unavailable": "0",
  "packed-overcommitted": "NEXT AVAIL",
  "packed-indirect-flags": "AVAIL",
  "packed-event": "9",
};

for (const [rule, text] of Object.entries(MARKED)) {
  Deno.test(`the drawing of ${rule} marks what is at fault`, () => {
    const drawing = drawn(rule);
    const found = drawing && marked(drawing);
    if (typeof text === "string") assertEquals(found, text);
    else assertEquals(text.test(found ?? ""), true, `${found}`);
  });
}

Deno.test("a packed ring is drawn from where the device reads, with the wrap counter of each entry", () => {
  assertEquals(drawingLines(drawn("packed-list-unavailable")!), [
    "packed ring of queue 0 at 0x80009000, 8 entries, where the device reads:",
    "  entry  addr        length  id  wrap  flags",
    "  0      0x80000000  8       0   1     NEXT AVAIL",
    "  1      0x0         0       0   1     0",
    "                                       ^",
    "(with wrap counter 1 an entry is available that has AVAIL and not USED, with 0 one that has USED",
    "and not AVAIL)",
  ]);
  assertEquals(drawingLines(drawn("packed-indirect-flags")!).slice(1, -2), [
    "  entry      addr        length  id  wrap  flags",
    "  0          0x80009090  16      0   1     INDIRECT AVAIL",
    "    table 0  0x80000000  8       -   -     AVAIL",
    "                                           ^^^^^",
  ]);
});

Deno.test("around the end of a packed ring the wrap counter changes", () => {
  const driver = packedDriver((queue, rig) => {
    queue.post([BUFFER, BUFFER]);
    use(rig);
    for (let i = 2; i < 8; i++) queue.setDescriptor({ addr: RAM, length: 8, id: 1, flags: AVAIL | NEXT }, i);
    queue.notify();
  });
  const rig = drive(driver, { switches: { packed: true } });
  const drawing = rig.checker.findings.list[0]?.drawing;
  assertEquals(drawing?.kind === "packed" && drawing.entries.map(({ index, wrap }) => [index, wrap]), [
    ...[2, 3, 4, 5, 6, 7].map((index) => [index, 1]),
    [0, 0],
  ]);
  assertEquals(drawing && marked(drawing), "AVAIL USED");
});

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
    format: "split",
    queue: 0,
    head: 0,
    descriptors,
    marked: { at: 199, field: "next" },
  });
  assertEquals(lines.length, 1 + 1 + 24 + 1);
  assertEquals(lines.at(-2)?.trim().startsWith("199"), true);
});
