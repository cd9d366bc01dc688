/**
 * What a rule of the checker is: one thing that a specification asks of a driver, and what to tell somebody who did
 * otherwise. Rules are data; who notices that one is broken stands in `checker.ts`.
 */

/** How bad it is: the device may refuse (error), works less well (warning), or is worth knowing (advice). */
export const severities = ["error", "warning", "advice"] as const;
/** How bad it is. */
export type Severity = typeof severities[number];

/** The specification's word; `implied` follows from the text without one. */
export type Keyword = "MUST" | "MUST NOT" | "SHOULD" | "SHOULD NOT" | "implied";

/** Versions of the VIRTIO specification. */
export const virtioVersions = ["1.0", "1.1", "1.2", "1.3", "1.4"] as const;
/** A version of the VIRTIO specification. */
export type SpecVersion = typeof virtioVersions[number];

/** Monitors whose devices we compare with. */
export const monitors = ["qemu", "firecracker"] as const;
/** A monitor. */
export type Monitor = typeof monitors[number];

/** What to report: everything the specification asks, or only what matters on one monitor, or to old drivers. */
export const profiles = ["spec", "qemu", "firecracker", "legacy"] as const;
/** What to report. */
export type Profile = typeof profiles[number];

/** What a driver does that a rule is about; a rule is exercised by a run in which that happened. */
export type Occasion =
  | "access"
  | "empty-slot"
  | "config-read"
  | "config-read-wide"
  | "config-write"
  | "status"
  | "reset"
  | "features"
  | "features-ok"
  | "features-refused"
  | "queue-select"
  | "queue-setup"
  | "queue-stop"
  | "queue-reset"
  | "suspend"
  | "legacy-control"
  | "notify"
  | "interrupt"
  | "interrupt-ack"
  | "available"
  | "chain"
  | "indirect"
  | "memory"
  | "request";

/** One rule. */
export interface Rule {
  /** Short stable name; where a device notices it, the id of its `violation` facts. */
  readonly name: string;
  /** `virtio-1.2/4.2.2.2-register-access`: where it is written, and its name. */
  readonly id: string;
  /**
   * Our numbers of the normative statements (`mmio016`), and names of what follows from the text (`implied:init-step-6`):
   * one or more, with spaces between.
   */
  readonly statement: string;
  /** Section of virtio 1.2, `4.2.2.2`, or of the version in `since` if that is later. */
  readonly section: string;
  readonly keyword: Keyword;
  readonly severity: Severity;
  /** Version of the specification that has it first. */
  readonly since: SpecVersion;
  /** Which register file it is about; absent for both. */
  readonly only?: "legacy" | "modern";
  readonly occasion: Occasion;
  /** DeviceID of the device type it is about; absent for all. */
  readonly device?: number;
  /** What is wrong, why it matters, how to mend it. */
  readonly wrong: string;
  readonly why: string;
  readonly mend: string;
  /** Monitors on which such a driver works all the same, and those that refuse it; others are not known. */
  readonly tolerated: readonly Monitor[];
  readonly refused: readonly Monitor[];
}

/** What a row of a table says of a rule; the rest follows. */
export interface RuleRow {
  readonly statement: string;
  readonly section: string;
  readonly keyword: Keyword;
  /** Default: error for MUST, warning for SHOULD; `implied` has none. */
  readonly severity?: Severity;
  readonly since?: SpecVersion;
  readonly only?: "legacy" | "modern";
  readonly occasion: Occasion;
  readonly device?: number;
  readonly wrong: string;
  readonly why: string;
  readonly mend: string;
  readonly tolerated?: readonly Monitor[];
  readonly refused?: readonly Monitor[];
}

/**
 * The rule that a row stands for.
 *
 * @throws if a row without a keyword does not say how bad it is
 */
export function ruleOf(name: string, row: RuleRow): Rule {
  const severity = row.severity ?? severityOf(row.keyword);
  if (severity === undefined) throw new Error(`rule ${name}: no keyword and no severity`);
  const version = sectionVersion(row.since ?? "1.0");
  const { section } = row;
  const source = section.startsWith("ringside")
    ? "ringside/"
    : section.startsWith("plic ")
    ? `plic-1.0/${section.slice(5)}-`
    : section.startsWith("priv ")
    ? `priv-1.12/${section.slice(5)}-`
    : `virtio-${version}/${section}-`;
  return { since: "1.0", tolerated: [], refused: [], ...row, severity, name, id: `${source}${name}` };
}

/** The version whose section numbers are given: virtio 1.2, or what brought the rule if that is later. */
export function sectionVersion(since: SpecVersion): SpecVersion {
  return since === "1.3" || since === "1.4" ? since : "1.2";
}

/** The numbers of the statements that a rule is about. */
export function statementsOf(statement: string): string[] {
  return statement.split(" ");
}

function severityOf(keyword: Keyword): Severity | undefined {
  if (keyword === "implied") return undefined;
  return keyword.startsWith("MUST") ? "error" : "warning";
}

/** What drivers of virtio 0.9.5 were not asked for: the specification has it since 1.0. By name. */
const SINCE_1_0: ReadonlySet<string> = new Set([
  "probe-order",
  "device-id-unread",
  "reset-unread",
  "status-combined",
  "config-early-write",
  "config-generation",
  "blk-writeback-early",
  "features-early",
  "feature-version-1",
  "notify-before-driver-ok",
  "queue-stopped-in-flight",
  "descriptor-order",
]);

/** Whether `profile` reports a breach: a monitor's leaves out what works there, `legacy` what is younger than 1.0. */
export function reports(profile: Profile, rule: Rule): boolean {
  if (profile === "spec") return true;
  if (profile === "legacy") return rule.only !== "modern" && !SINCE_1_0.has(rule.name);
  return !rule.tolerated.includes(profile);
}
