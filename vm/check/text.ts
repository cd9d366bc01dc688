/** Findings for people: what is wrong, why, how to mend it, where it is, and what the driver had done before. */
import { hex } from "../bits.ts";
import type { MmioEvent } from "../events.ts";
import { harmless, painter } from "../trace/colour.ts";
import type { Paint } from "../trace/colour.ts";
import { privilegeName } from "../trace/record.ts";
import { accessedRegister, registerName, valueText } from "../trace/register_text.ts";
import { symbolText } from "../trace/symbolizer.ts";
import type { Symbolizer } from "../trace/symbolizer.ts";
import type { Checker } from "./checker.ts";
import type { Finding } from "./finding.ts";
import type { Access } from "./history.ts";
import { type Monitor, type Rule, severities, type Severity, virtioVersions } from "./rule.ts";

/** How to write findings. */
export interface ReportOptions {
  /** Names of addresses. */
  readonly symbolize?: Symbolizer | undefined;
  /** For a terminal; plain text otherwise. */
  readonly colour?: boolean | undefined;
}

const WIDTH = 100;
const LEFT = 9;
const REGISTER_WIDTH = 24;
const VALUE_WIDTH = 42;

const PAINTS: Readonly<Record<Severity, Paint>> = { error: "bad", warning: "irq", advice: "read" };
const MONITORS: Readonly<Record<Monitor, string>> = { qemu: "QEMU", firecracker: "Firecracker" };

/** Everything a checker found, and how far it got; ends in a newline. */
export function checkReport(checker: Checker, options: ReportOptions = {}): string {
  const { list, lost } = checker.findings;
  const parts = list.map((finding) => `${findingText(finding, options)}\n`);
  for (const [id, times] of checker.unruled) {
    parts.push(`also told by a device, ${times === 1 ? "once" : `${times} times`}: ${id} (see --trace-devices)\n`);
  }
  if (lost > 0) parts.push(`${lost} more times a rule was broken, in places that are not listed\n`);
  return `${parts.join("\n")}${parts.length > 0 ? "\n" : ""}${coverageLine(checker)}\n`;
}

/** One finding, in lines; without a newline at the end. */
export function findingText(finding: Finding, options: ReportOptions = {}): string {
  const { rule, device, what, where, count } = finding;
  const paint = painter(options.colour ?? false);
  const times = count === 1 ? "once" : `${count} times`;
  const lines = [
    `${paint(`${rule.severity}:`, PAINTS[rule.severity])} ${harmless(device)}: ${rule.wrong}`,
    ...field("seen", `${harmless(what)}; ${times}`),
    ...field(
      "where",
      `${placeText(where.pc, options)}, ${privilegeName(where.privilege)} mode, hart ${where.hart}, ` +
        `after ${where.steps} instructions`,
    ),
    ...field("why", rule.why),
    ...field("mend", rule.mend),
    ...field("rule", `${rule.id}; ${sourceText(rule)}`),
  ];
  const elsewhere = monitorsText(rule);
  if (elsewhere !== "") lines.push(...field("hosts", elsewhere));
  return [...lines, ...historyLines(finding, options)].join("\n");
}

/** Where a rule is written, and how strongly: `virtio 1.2 §2.1.1, MUST NOT (1.0 to 1.4), statement basic002`. */
export function sourceText({ section, keyword, statement, since }: Rule): string {
  const number = statement.startsWith("implied:") ? "" : `, statement ${statement}`;
  if (section.startsWith("ringside")) return "of Ringside's own test device";
  const word = keyword === "implied" ? "follows from the text" : keyword;
  return `virtio 1.2 §${section}, ${word} (${since} to ${virtioVersions.at(-1)})${number}`;
}

/** On which monitors such a driver works, and which refuse it; empty where that is not known. */
export function monitorsText({ tolerated, refused }: Rule): string {
  const names = (list: readonly Monitor[]) => list.map((monitor) => MONITORS[monitor]).join(" and ");
  return [
    tolerated.length > 0 ? `${names(tolerated)} tolerate${tolerated.length === 1 ? "s" : ""} it` : "",
    refused.length > 0 ? `${names(refused)} refuse${refused.length === 1 ? "s" : ""} it` : "",
  ].filter((text) => text !== "").join("; ");
}

/** How many findings there are, and how many rules were met. */
export function coverageLine(checker: Checker): string {
  const { passed, broken, notReached } = checker.coverage();
  const { list } = checker.findings;
  const counts = severities
    .map((severity) => [severity, list.filter(({ rule }) => rule.severity === severity).length] as const)
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${count} ${severity}${count === 1 || severity === "advice" ? "" : "s"}`);
  const met = passed.length + broken.length;
  return `driver check: ${counts.join(", ") || "no findings"}; of ${met + notReached.length} rules ${met} exercised: ` +
    `${passed.length} passed, ${broken.length} broken; ${notReached.length} not reached`;
}

function historyLines({ device, history }: Finding, options: ReportOptions): string[] {
  const { first, left, last } = history;
  if (first.length === 0) return [];
  const line = (access: Access) => `    ${accessText(access.fact)}  ${placeText(access.where.pc, options)}`;
  return [
    `  what the driver did with ${harmless(device)} since its reset:`,
    ...first.map(line),
    ...(left > 0 ? [`    … ${left} more …`] : []),
    ...last.map(line),
  ];
}

function accessText(fact: MmioEvent): string {
  const found = accessedRegister(fact);
  const name = registerName(fact, found).padEnd(REGISTER_WIDTH);
  return `${fact.write ? "W" : "R"} ${name} = ${valueText(fact, found).padEnd(VALUE_WIDTH)}`;
}

function placeText(pc: bigint, { symbolize }: ReportOptions): string {
  const symbol = symbolText(symbolize, pc);
  const address = hex(pc, 8);
  return symbol === undefined ? address : `${symbol} (${address})`;
}

/** A name and a text beside it, wrapped. */
function field(name: string, text: string): string[] {
  return wrap(text, WIDTH - LEFT).map((part, i) => `${(i === 0 ? `  ${name}` : "").padEnd(LEFT)}${part}`);
}

/** `text` in lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
