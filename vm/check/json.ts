/** Findings for programs: one JSON object, with the same facts as the text. */
import { hex } from "../bits.ts";
import type { Where } from "../events.ts";
import { privilegeName } from "../trace/record.ts";
import { accessedRegister, registerName } from "../trace/register_text.ts";
import type { Access } from "./history.ts";
import type { Frame, Place, Places } from "./places.ts";
import type { CheckResult, PlacedFinding } from "./result.ts";
import type { Rule } from "./rule.ts";

/** Changes when a reader of it would have to. */
export const JSON_FORMAT = 1;

/** The result as JSON, with a newline at the end. */
export function checkJson(result: CheckResult, version: string): string {
  const { profile, findings, suppressed, below, lost, unruled, unused, coverage, places } = result;
  const ids = (list: readonly Rule[]) => list.map(({ id }) => id);
  const object = {
    format: JSON_FORMAT,
    tool: "ringside",
    version,
    profile,
    findings: findings.map((finding) => findingObject(finding, places)),
    suppressed,
    belowLevel: below,
    lost,
    unusedSuppressions: unused.map(({ line, text }) => ({ line, text })),
    unruled: Object.fromEntries(unruled),
    coverage: { passed: ids(coverage.passed), broken: ids(coverage.broken), notReached: ids(coverage.notReached) },
  };
  return `${JSON.stringify(object, undefined, 2)}\n`;
}

function findingObject({ finding, place, notified, stack }: PlacedFinding, places: Places): object {
  const { rule, device, what, where, count, history, drawing } = finding;
  const { id, name, statement, section, keyword, since, severity, wrong, why, mend, tolerated, refused } = rule;
  return {
    id,
    name,
    severity,
    statement,
    section: `virtio 1.2 §${section}`,
    keyword,
    since,
    device,
    deviceId: finding.type,
    wrong,
    seen: what,
    count,
    why,
    mend,
    tolerated,
    refused,
    where: whereObject(place, where),
    notified: notified && whereObject(notified, finding.notified!),
    stack: stack.map(frameObject),
    drawing,
    history: {
      first: history.first.map((access) => accessObject(access, places)),
      left: history.left,
      last: history.last.map((access) => accessObject(access, places)),
    },
  };
}

function whereObject({ pc, symbol, frame }: Place, { privilege, hart, steps }: Where): object {
  return {
    pc: hex(pc),
    symbol,
    function: frame?.name,
    file: frame?.file,
    line: frame?.line,
    privilege: privilegeName(privilege),
    hart,
    instructions: steps,
  };
}

function frameObject({ pc, name, file, line, inlined }: Frame): object {
  return { pc: hex(pc), function: name, file, line, inlined };
}

function accessObject({ fact, where }: Access, places: Places): object {
  const { frame, symbol } = places.at(where.pc);
  return {
    write: fact.write,
    register: registerName(fact, accessedRegister(fact)),
    offset: fact.offset,
    size: fact.size,
    value: fact.value,
    instructions: where.steps,
    pc: hex(where.pc),
    symbol,
    file: frame?.file,
    line: frame?.line,
  };
}
