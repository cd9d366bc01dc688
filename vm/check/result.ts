/** What a run of the checker comes to: its findings with their places, without what nobody wants to hear of. */
import type { Where } from "../events.ts";
import type { Checker, Coverage } from "./checker.ts";
import type { Finding } from "./finding.ts";
import { type Frame, type Names, type Place, Places } from "./places.ts";
import { type Profile, severities, type Severity } from "./rule.ts";
import { covers, type Suppression } from "./suppressions.ts";

/** A finding, and where in the program it is. */
export interface PlacedFinding {
  readonly finding: Finding;
  readonly place: Place;
  /** The notification by which the device came to see it, where that is not the place itself. */
  readonly notified: Place | undefined;
  /** The calls that led there, or to the notification if there is one, the innermost first. */
  readonly stack: readonly Frame[];
}

/** Everything that is told at the end of a run, in whatever form. */
export interface CheckResult {
  readonly profile: Profile;
  readonly findings: readonly PlacedFinding[];
  /** How many were left out because of a suppression, and because they are not severe enough. */
  readonly suppressed: number;
  readonly below: number;
  /** Suppressions that were about nothing: most likely they are out of date. */
  readonly unused: readonly Suppression[];
  /** Breaches in more places than are kept. */
  readonly lost: number;
  /** What devices told that no rule is about. */
  readonly unruled: ReadonlyMap<string, number>;
  readonly coverage: Coverage;
  /** Finds further places. */
  readonly places: Places;
}

/** What to leave out, and how to name what is left. */
export interface ResultOptions extends Names {
  readonly suppressions?: readonly Suppression[] | undefined;
  /** The least severity that is told; default: all. */
  readonly level?: Severity | undefined;
}

/** Whether a severity is at least `level`. */
export function reaches(severity: Severity, level: Severity): boolean {
  return severities.indexOf(severity) <= severities.indexOf(level);
}

/** The notification of a finding whose place is another one. */
export function notificationOf({ where, notified }: Finding): Where | undefined {
  return notified === where ? undefined : notified;
}

/** What `checker` has found so far. */
export function checkResult(checker: Checker, options: ResultOptions = {}): CheckResult {
  const { suppressions = [], level = "advice" } = options;
  const places = new Places(options);
  const used = new Set<Suppression>();
  const findings: PlacedFinding[] = [];
  let [suppressed, below] = [0, 0];
  for (const finding of checker.findings.list) {
    const place = places.at(finding.where.pc);
    const notified = notificationOf(finding);
    const told = notified && places.at(notified.pc);
    const symbols = [place, ...(told === undefined ? [] : [told])].flatMap(({ frames }) =>
      frames.flatMap(({ name }) => name ?? [])
    );
    const known = suppressions.filter((suppression) => covers(suppression, finding.rule, symbols));
    known.forEach((suppression) => used.add(suppression));
    if (known.length > 0) suppressed++;
    else if (!reaches(finding.rule.severity, level)) below++;
    else {
      const stack = places.stack((notified ?? finding.where).pc, finding.stack);
      findings.push({ finding, place, notified: told, stack });
    }
  }
  return {
    profile: checker.profile,
    findings,
    suppressed,
    below,
    unused: suppressions.filter((suppression) => !used.has(suppression)),
    lost: checker.findings.lost,
    unruled: checker.unruled,
    coverage: checker.coverage(),
    places,
  };
}
