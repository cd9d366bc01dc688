/**
 * Findings as SARIF 2.1.0 (OASIS), which code hosts and editors show beside the source. A finding without a source line
 * has its address.
 */
import { hex } from "../bits.ts";
import { type Frame, sourceText } from "./places.ts";
import type { CheckResult, PlacedFinding } from "./result.ts";
import type { Rule, Severity } from "./rule.ts";
import { rules } from "./rules.ts";
import { monitorsText, ruleSourceText } from "./text.ts";

const SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
const LEVELS: Readonly<Record<Severity, string>> = { error: "error", warning: "warning", advice: "note" };

/** The result as a SARIF log, with a newline at the end. `image` is what ran, as a file name. */
export function checkSarif(result: CheckResult, version: string, image: string): string {
  const log = {
    $schema: SCHEMA,
    version: "2.1.0",
    runs: [{
      tool: { driver: { name: "Ringside", semanticVersion: version, rules: rules.map(descriptor) } },
      automationDetails: { id: `ringside/check/${result.profile}/` },
      artifacts: [{ location: { uri: fileUri(image) }, roles: ["analysisTarget"] }],
      columnKind: "utf16CodeUnits",
      results: result.findings.map(resultObject),
    }],
  };
  return `${JSON.stringify(log, undefined, 2)}\n`;
}

function descriptor(rule: Rule): object {
  const monitors = monitorsText(rule);
  const help = [`Mend: ${rule.mend}`, `Source: ${ruleSourceText(rule)}.`, ...(monitors === "" ? [] : [`${monitors}.`])];
  return {
    id: rule.id,
    name: rule.name,
    shortDescription: { text: rule.wrong },
    fullDescription: { text: rule.why },
    help: { text: help.join("\n") },
    defaultConfiguration: { level: LEVELS[rule.severity] },
    properties: { statement: rule.statement, keyword: rule.keyword, since: rule.since },
  };
}

function resultObject({ finding, place, notified, stack }: PlacedFinding): object {
  const { rule, device, what, where, count } = finding;
  const symbol = place.symbol ?? hex(where.pc);
  return {
    ruleId: rule.id,
    ruleIndex: rules.indexOf(rule),
    level: LEVELS[rule.severity],
    message: { text: `${device}: ${rule.wrong} Seen: ${what}. ${rule.why} Mend: ${rule.mend}` },
    locations: [location(place.frame, where.pc)],
    ...(notified !== undefined && {
      relatedLocations: [{
        ...location(notified.frame, notified.pc),
        message: { text: "The device was notified here." },
      }],
    }),
    occurrenceCount: count,
    // The same for the same mistake in the next run, wherever it then lies.
    partialFingerprints: {
      "ringside/v1": `${rule.id} ${place.frame?.name ?? symbol} ${(place.frame && sourceText(place.frame)) ?? ""}`,
    },
    ...(stack.length > 1 && {
      stacks: [{ frames: stack.map((frame) => ({ location: location(frame, frame.pc) })) }],
    }),
    properties: { device, hart: where.hart, instructions: where.steps, pc: hex(where.pc) },
  };
}

function location(frame: Frame | undefined, pc: bigint): object {
  const named = frame?.name === undefined ? {} : { logicalLocations: [{ name: frame.name, kind: "function" }] };
  if (frame?.file === undefined) return { physicalLocation: { address: addressObject(pc) }, ...named };
  return {
    physicalLocation: {
      artifactLocation: { uri: fileUri(frame.file) },
      ...(frame.line !== undefined && { region: { startLine: frame.line } }),
      address: addressObject(pc),
    },
    ...named,
  };
}

/** A number of JSON holds 53 bits; addresses of kernels have 64. */
function addressObject(pc: bigint): object {
  const exact = pc <= BigInt(Number.MAX_SAFE_INTEGER);
  return { ...(exact && { absoluteAddress: Number(pc) }), fullyQualifiedName: hex(pc, 8) };
}

/** A file name as a URI: relative, as it is, or with its scheme. */
function fileUri(file: string): string {
  const path = file.split("/").map(encodeURIComponent).join("/");
  return file.startsWith("/") ? `file://${path}` : path;
}
