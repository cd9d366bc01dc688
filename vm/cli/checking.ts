/** The driver checker for the command line: started with the run, its findings written at the end. */
import { Checker } from "../check/checker.ts";
import { type CheckResult, checkResult, reaches } from "../check/result.ts";
import { parseSuppressions, type Suppression } from "../check/suppressions.ts";
import { checkReport, coverageLine, wordsOf } from "../check/text.ts";
import type { Profile } from "../check/rule.ts";
import type { Unread } from "../check/watched_queue.ts";
import type { Machine } from "../machine.ts";
import { InputError, Status } from "./errors.ts";
import { OutputFile, readInput } from "./files.ts";
import type { ImageNames } from "./image_names.ts";
import type { Settings } from "./options.ts";
import { filesOf } from "./permission.ts";
import { guestView } from "./stacks.ts";
import { VERSION } from "./version.ts";

/** Largest file of suppressions that is read. */
const SUPPRESSIONS_MAX = 1 << 20;

/** A checker that listens to a machine. */
export interface RunningCheck {
  /** Writes the findings to where they were asked for; what it returns is for standard error. */
  end(): Promise<string>;
  /** Whether `end` has told of anything on standard error. */
  readonly told: boolean;
  /** The words that it has explained there. */
  readonly words: ReadonlySet<string>;
  /** The exit status in place of `own`, for who wants to know of findings by it; after `end`. */
  status(own: number): number;
  /** What the driver of a queue has not read of what its device has used, where that is known. */
  unread(device: string, queue: number): Unread | undefined;
}

/** Starts the checker with `profile`. What is wrong with its files is an InputError now, not after the run. */
export async function startCheck(
  settings: Settings,
  profile: Profile,
  machine: Machine,
  names: ImageNames,
): Promise<RunningCheck> {
  const { checkSuppress, checkOutput, checkLevel, checkFail, checkFormat } = settings;
  const suppressions = checkSuppress === undefined ? [] : await readSuppressions(checkSuppress);
  const output = checkOutput === undefined ? undefined : OutputFile.open(checkOutput, filesOf(settings).read, []);
  const checker = new Checker(profile, guestView(machine));
  checker.attach(machine.events);
  let failed = false;
  let told = false;
  let words: ReadonlySet<string> = new Set();
  return {
    get told() {
      return told;
    },
    get words() {
      return words;
    },
    end: async () => {
      checker.end();
      const sources = checker.findings.list.length === 0 ? undefined : await names.sources();
      const { symbolize } = names;
      const result = checkResult(checker, { symbolize, sources, suppressions, level: checkLevel });
      failed = checkFail !== undefined &&
        result.findings.some(({ finding }) => reaches(finding.rule.severity, checkFail));
      told = output === undefined && (checkFormat ?? "text") === "text" && result.findings.length > 0;
      if (told) words = new Set(wordsOf(result).map(({ name }) => name));
      if (output === undefined) return await documentOf(result, settings, Deno.stderr.isTerminal());
      output.write(new TextEncoder().encode(await documentOf(result, settings, false)));
      return `${coverageLine(result)}\n`;
    },
    status: (own) => failed && own === Status.Ok ? Status.Findings : own,
    unread: (device, queue) => checker.unread(device, queue),
  };
}

async function readSuppressions(file: string): Promise<Suppression[]> {
  const text = new TextDecoder().decode(readInput(file, SUPPRESSIONS_MAX));
  const { rulesAlike } = await import("./explain.ts");
  try {
    return parseSuppressions(text, rulesAlike);
  } catch (error) {
    throw error instanceof RangeError ? new InputError(file, error.message) : error;
  }
}

/** The findings in the form that was asked for. */
async function documentOf(result: CheckResult, settings: Settings, colour: boolean): Promise<string> {
  switch (settings.checkFormat) {
    case "json":
      return (await import("../check/json.ts")).checkJson(result, VERSION);
    case "sarif":
      return (await import("../check/sarif.ts")).checkSarif(result, VERSION, settings.image ?? settings.kernel ?? "-");
    case "junit":
      return (await import("../check/junit.ts")).checkJunit(result);
    default:
      return checkReport(result, { colour });
  }
}
