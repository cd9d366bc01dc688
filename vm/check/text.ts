/** Findings for people: what is wrong, why, how to mend it, where it is, and what the driver had done before. */
import { hex } from "../bits.ts";
import { deviceType } from "../../devices/virtio/features.ts";
import type { MmioEvent } from "../events.ts";
import { harmless, painter } from "../trace/colour.ts";
import type { Paint, Painter } from "../trace/colour.ts";
import { privilegeName } from "../trace/record.ts";
import { accessedRegister, registerName, valueText } from "../trace/register_text.ts";
import { drawingLines } from "./drawing.ts";
import { field, WIDTH, wrap } from "./fields.ts";
import type { Finding } from "./finding.ts";
import type { Access } from "./history.ts";
import { frameText, type Place, type Places, placeText } from "./places.ts";
import { type CheckResult, notificationOf, type PlacedFinding } from "./result.ts";
import {
  type Monitor,
  type Rule,
  sectionVersion,
  severities,
  type Severity,
  statementsOf,
  virtioVersions,
} from "./rule.ts";
import { wordLines, wordsIn } from "./words.ts";

/** How to write findings. */
export interface TextOptions {
  /** For a terminal; plain text otherwise. */
  readonly colour?: boolean | undefined;
}

/** Columns of the history: most names and values fit, and what is longer moves only its own line. */
const REGISTER_WIDTH = 17;
const VALUE_WIDTH = 26;
/** Findings whose words are explained. */
const EXPLAINED_MAX = 5;
/** Accesses that are shown of a long history; JSON has more. */
const HISTORY_FIRST = 6;
const HISTORY_LAST = 14;

const PAINTS: Readonly<Record<Severity, Paint>> = { error: "bad", warning: "irq", advice: "read" };
const MONITORS: Readonly<Record<Monitor, string>> = { qemu: "QEMU", firecracker: "Firecracker" };

/** Everything a checker found, and how far it got; ends in a newline. */
export function checkReport(result: CheckResult, options: TextOptions = {}): string {
  const { findings } = result;
  const told = new Set<Rule>();
  const parts = findings.map((finding, i) => {
    const { rule } = finding.finding;
    const text = findingText(finding, result, options, { before: findings[i - 1], again: told.has(rule) });
    told.add(rule);
    return `${text}\n`;
  });
  for (const [id, times] of result.unruled) {
    parts.push(`also told by a device, ${timesText(times)}: ${id} (see --trace-devices)\n`);
  }
  if (result.lost > 0) parts.push(`${result.lost} more times a rule was broken, in places that are not listed\n`);
  for (const { line, text } of result.unused) parts.push(`suppression of line ${line} was not needed: ${text}\n`);
  parts.push(
    ...[firstLines(findings), wordLines(wordsOf(result))].flatMap((lines) => lines.map((l) => `${l}\n`).join("") || []),
  );
  return `${parts.join("\n")}${parts.length > 0 ? "\n" : ""}${coverageLine(result)}\n`;
}

/** The words of the findings that are told. */
export function wordsOf({ findings }: CheckResult): ReturnType<typeof wordsIn> {
  const texts = findings.slice(0, EXPLAINED_MAX).map(({ finding }) => finding);
  return wordsIn([
    ...texts.map(({ rule }) => rule.wrong),
    ...texts.flatMap(({ rule, what, drawing }) => [
      ...(drawing === undefined ? [] : drawingLines(drawing)),
      rule.mend,
      rule.why,
      what,
    ]),
  ]);
}

/** Where to begin, if a device has several findings of different rules. */
function firstLines(findings: readonly PlacedFinding[]): string[] {
  const devices = new Map<string, PlacedFinding>();
  for (const finding of findings) {
    const first = devices.get(finding.finding.device);
    if (first === undefined) devices.set(finding.finding.device, finding);
    else if (first.finding.rule !== finding.finding.rule) {
      const place = placeText(first.place);
      const text = `begin with the first finding of ${harmless(first.finding.device)}, at ${place}: those after it ` +
        "may only follow from it.";
      return wrap(text, WIDTH);
    }
  }
  return [];
}

/** What a reader has seen already, and need not read again. */
export interface Told {
  /** The finding before. */
  readonly before?: PlacedFinding | undefined;
  /** Whether a finding before was of the same rule. */
  readonly again?: boolean;
}

/** One finding, in lines; without a newline at the end. */
export function findingText(
  placed: PlacedFinding,
  { places }: CheckResult,
  options: TextOptions = {},
  { before, again = false }: Told = {},
): string {
  const { finding, place, notified } = placed;
  const { rule, what, count, drawing } = finding;
  const paint = painter(options.colour ?? false);
  const elsewhere = monitorsText(rule);
  const named = (name: string) => paint(name, name === "mend" ? "good" : "quiet");
  const row = (name: string, text: string) => field(name, text, undefined, named);
  const [title, ...rest] = wrap(`${deviceText(finding)}: ${rule.wrong}`, WIDTH, rule.severity.length + 2);
  const lines = [
    [paint(`${rule.severity}:`, PAINTS[rule.severity]), paint(title!, "device")].join(" "),
    ...rest.map((line) => paint(`  ${line}`, "device")),
    ...row("seen", `${harmless(what)}; ${timesText(count)}`),
    ...row("where", whereText(place, finding)),
    ...(notified === undefined ? [] : row("notify", notifyText(notified, finding))),
    ...(again ? row("rule", `${rule.id}: why and how to mend it as above`) : [
      ...row("why", rule.why),
      ...row("mend", rule.mend),
      ...row("rule", `${rule.id}; ${ruleSourceText(rule)}`),
      ...(elsewhere === "" ? [] : row("hosts", elsewhere)),
    ]),
    ...(drawing === undefined ? [] : drawingLines(drawing).map((line) => `  ${markText(line, paint)}`)),
    ...stackLines(placed, before),
    ...historyLines(finding, before?.finding, places),
  ];
  return lines.join("\n");
}

/** A line of a drawing; the mark beneath what is at fault stands out. */
function markText(line: string, paint: Painter): string {
  return line.replace(/^( *)(\^+)$/, (_, before, mark) => `${before}${paint(mark, "bad")}`);
}

function timesText(count: number): string {
  return count === 1 ? "once" : `${count} times`;
}

/** `virtio1 (blk)`: people know what they drive better than where it is plugged in. */
function deviceText({ device, type }: Finding): string {
  const known = type === undefined ? undefined : deviceType(type);
  return known === undefined ? harmless(device) : `${harmless(device)} (${known.name})`;
}

function whereText(place: Place, finding: Finding): string {
  const { where: { privilege, hart, steps }, notified } = finding;
  const why = notificationOf(finding) !== undefined
    ? ", where the marked field was stored"
    : notified !== undefined
    ? ", where the device was notified of it"
    : "";
  return `${addressText(place)}${why}; ${privilegeName(privilege)} mode, hart ${hart}, after ${steps} instructions`;
}

function notifyText(place: Place, { notified }: Finding): string {
  return `${addressText(place)}, after ${notified!.steps} instructions; the device read it then`;
}

/** Where the source says the place, the address is still what a disassembly and a debugger go by. */
function addressText(place: Place): string {
  const text = placeText(place);
  const address = hex(place.pc, 8);
  return text.includes(address) ? text : `${text}, ${address}`;
}

/** Over a list of calls. */
export const CALLS_TITLE = "how the program came there, the last call first";
const NOTIFICATION_TITLE = "how the program came to the notification, the last call first";

/** The calls that led to the place, if there are any beside it. */
function stackLines({ stack, finding, notified }: PlacedFinding, before: PlacedFinding | undefined): string[] {
  if (stack.length < 2) return [];
  const title = notified === undefined ? CALLS_TITLE : NOTIFICATION_TITLE;
  const lines = stack.map(frameText);
  const same = before?.finding.device === finding.device && lines.join() === before.stack.map(frameText).join();
  return same ? [`  ${title}: as above`] : [`  ${title}:`, ...lines.map((line) => `    ${line}`)];
}

/** Where a rule is written, and how strongly: `virtio 1.2 §2.1.1, MUST NOT (1.0 to 1.4), statement basic002`. */
export function ruleSourceText({ section, keyword, statement, since }: Rule): string {
  if (section.startsWith("plic ")) return `RISC-V PLIC 1.0.0 §${section.slice(5)}, follows from the text`;
  if (section.startsWith("priv ")) return `RISC-V privileged 1.12 §${section.slice(5)}, follows from the text`;
  if (section.startsWith("ringside")) return "of Ringside's own test device";
  const numbers = statementsOf(statement).filter((one) => !one.startsWith("implied:"));
  const numbered = numbers.length === 0 ? "" : `, statement${numbers.length > 1 ? "s" : ""} ${numbers.join(", ")}`;
  const word = keyword === "implied" ? "follows from the text" : keyword;
  return `virtio ${sectionVersion(since)} §${section}, ${word} (${since} to ${virtioVersions.at(-1)})${numbered}`;
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
export function coverageLine({ findings, suppressed, below, coverage }: CheckResult): string {
  const { passed, broken, notReached } = coverage;
  const counts = severities
    .map((severity) => [severity, findings.filter(({ finding }) => finding.rule.severity === severity).length] as const)
    .filter(([, count]) => count > 0)
    .map(([severity, count]) => `${count} ${severity}${count === 1 || severity === "advice" ? "" : "s"}`);
  const left = [
    ...(suppressed > 0 ? [`${suppressed} suppressed`] : []),
    ...(below > 0 ? [`${below} below the level`] : []),
  ];
  const met = passed.length + broken.length;
  return `driver check: ${counts.join(", ") || "no findings"}${left.length > 0 ? ` (${left.join(", ")})` : ""}; ` +
    `of ${met + notReached.length} rules ${met} exercised: ` +
    `${passed.length} passed, ${broken.length} broken; ${notReached.length} not reached`;
}

function historyLines({ device, history }: Finding, before: Finding | undefined, places: Places): string[] {
  const { first, left, last } = history;
  if (first.length === 0) return [];
  const title = `  what the driver did with ${harmless(device)} since its reset:`;
  const line = (access: Access) => `    ${accessText(access.fact)}  ${shortPlace(places.at(access.where.pc))}`;
  const all = [...first, ...last];
  const known = before === undefined ? -1 : all.indexOf(before.history.last.at(-1) ?? before.history.first.at(-1)!);
  if (known === all.length - 1) return [`${title} as above`];
  if (known >= 0) {
    const more = all.slice(known + 1).slice(-HISTORY_LAST);
    const between = all.length - known - 1 - more.length + (known < first.length ? left : 0);
    return [`${title} as above, then`, ...moreLine(between), ...more.map(line)];
  }
  const rest = left + Math.max(0, all.length - HISTORY_FIRST - HISTORY_LAST);
  const shown = rest === 0 ? [all, []] : [all.slice(0, HISTORY_FIRST), all.slice(-HISTORY_LAST)];
  return [title, ...shown[0]!.map(line), ...moreLine(rest), ...shown[1]!.map(line)];
}

function moreLine(count: number): string[] {
  return count > 0 ? [`    … ${count} more …`] : [];
}

/** Function and line; the file without its folders, which the list of calls has. */
function shortPlace(place: Place): string {
  const { frame } = place;
  const file = frame?.file?.split("/").at(-1);
  return placeText(file === undefined ? place : { ...place, frame: { ...frame!, file } });
}

function accessText(fact: MmioEvent): string {
  const found = accessedRegister(fact);
  const name = registerName(fact, found).padEnd(REGISTER_WIDTH);
  return `${fact.write ? "W" : "R"} ${name} = ${valueText(fact, found).padEnd(VALUE_WIDTH)}`;
}
