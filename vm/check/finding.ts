/** What the checker found: which rule was broken, where, and how often. */
import type { CapturedStack } from "../debug/captured_stack.ts";
import type { Where } from "../events.ts";
import type { Drawing } from "./drawing.ts";
import type { HistoryView } from "./history.ts";
import type { Rule } from "./rule.ts";

/** What is kept of the moment when a rule was first broken at a place. */
export interface Evidence {
  /** The driver's accesses to the device from its last reset up to then. */
  history: HistoryView;
  /** Registers and stack of the hart at the finding's place, or at the notification where there is one. */
  readonly stack?: CapturedStack | undefined;
  /** The chain or ring that it is about. */
  readonly drawing?: Drawing | undefined;
  /** DeviceID, once the driver has read it. */
  readonly type?: number | undefined;
  /**
   * The notification by which the device came to see what is wrong. The finding's place is then where the field at fault
   * was stored, if that was seen, else this one.
   */
  readonly notified?: Where | undefined;
}

/** One rule, broken at one place of the program. */
export interface Finding extends Evidence {
  readonly rule: Rule;
  /** Name of the device. */
  readonly device: string;
  /** What was seen the first time. */
  readonly what: string;
  /** Where the program did it: the place that it has to be mended at, as near as is known. */
  readonly where: Where;
  /** How often it was seen, the first time included. */
  count: number;
}

/** How many findings are kept. */
export const FINDINGS_MAX = 1000;

/** Findings, once per rule and place, in the order in which they were first seen. */
export class Findings {
  readonly #list: Finding[] = [];
  readonly #places = new Map<string, Map<bigint, Finding>>();
  /** Findings that are not in the list, because it is full. */
  lost = 0;

  /** In order of first sight. */
  get list(): readonly Finding[] {
    return this.#list;
  }

  /** Adds what was seen, or counts it; `evidence` is asked for only the first time. The finding, if it is new. */
  add(rule: Rule, device: string, what: string, where: Where, evidence: () => Evidence): Finding | undefined {
    let places = this.#places.get(rule.name);
    if (places === undefined) this.#places.set(rule.name, places = new Map());
    const known = places.get(where.pc);
    if (known !== undefined) {
      known.count++;
      return undefined;
    }
    if (this.#list.length >= FINDINGS_MAX) {
      this.lost++;
      return undefined;
    }
    const finding: Finding = { rule, device, what, where, count: 1, ...evidence() };
    places.set(where.pc, finding);
    this.#list.push(finding);
    return finding;
  }

  /** Whether a rule was broken anywhere. */
  has(rule: Rule): boolean {
    return this.#places.has(rule.name);
  }
}
