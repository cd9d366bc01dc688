/** What can go wrong before, around and at the end of a run, as one line for people and one number for programs. */

/** One exit status: its number (a text where it is a range) and what it means. */
export interface StatusRow {
  readonly status: string;
  readonly meaning: string;
}

/** Exit statuses. What a finished guest says itself (0, 1..255) is not here. */
export const Status = {
  Ok: 0,
  Unmet: 1,
  Usage: 2,
  Input: 66,
  Bug: 70,
  Permission: 77,
  Findings: 97,
  Stall: 98,
  Died: 99,
  Timeout: 124,
  Interrupted: 130,
} as const;
export type Status = typeof Status[keyof typeof Status];

/** Every exit status with its meaning, for `--help` and the documentation. */
export const statusTable: readonly StatusRow[] = [
  {
    status: `${Status.Ok}`,
    meaning: "the guest passed (finisher, HTIF) or powered off, or the script of --expect and --send was met",
  },
  { status: "1..255", meaning: "the guest failed (finisher, HTIF): its code; 0 counts as 1, above 255 as 255" },
  { status: `${Status.Unmet}`, meaning: "the guest ended well, but before the script was met" },
  { status: `${Status.Usage}`, meaning: "the command line is wrong" },
  { status: `${Status.Input}`, meaning: "a file is missing, unreadable, unwritable or not what it should be" },
  { status: `${Status.Bug}`, meaning: "a bug in Ringside" },
  { status: `${Status.Permission}`, meaning: "Deno denied a permission; the message has the command to use" },
  {
    status: `${Status.Findings}`,
    meaning: "the guest ended well, and the driver check found what --check-fail asks about",
  },
  { status: `${Status.Stall}`, meaning: "the guest waits for something that can never come" },
  { status: `${Status.Died}`, meaning: "the guest died: a trap without a handler, an access to nowhere" },
  { status: `${Status.Timeout}`, meaning: "--timeout or --timeout-insns ran out" },
  { status: `${Status.Interrupted}`, meaning: "interrupted by Ctrl-C, SIGTERM or the escape key" },
];

/** An error that is the user's to mend: one line, no stack. */
export class CliError extends Error {
  readonly status: Status;
  constructor(status: Status, message: string) {
    super(message);
    this.name = new.target.name;
    this.status = status;
  }
}

/** The command line is wrong. */
export class UsageError extends CliError {
  constructor(message: string) {
    super(Status.Usage, message);
  }
}

/** A file named on the command line cannot be used. `file` is as the user wrote it. */
export class InputError extends CliError {
  constructor(file: string, message: string) {
    super(Status.Input, `${file}: ${message}`);
  }
}

/** Deno would not let us; `command` is what to run instead. */
export class PermissionError extends CliError {
  constructor(what: string, command: string) {
    super(Status.Permission, `${what}; run: ${command}`);
  }
}

/** Where a bug of ours is to be reported, and how. */
const REPORT = "this is a bug in Ringside: please report it with this line, the command and the image";

/** Whether the user asked for stack traces, without asking Deno for a permission that was not given. */
function debugging(): boolean {
  const variable = "RINGSIDE_DEBUG";
  if (Deno.permissions.querySync({ name: "env", variable }).state !== "granted") return false;
  const value = Deno.env.get(variable);
  return value !== undefined && value !== "" && value !== "0";
}

/** A message on one line: line breaks and control characters in names and texts must not forge further lines. */
export function oneLine(text: string): string {
  // deno-lint-ignore no-control-regex
  const plain = text.replace(/\x1b\[[0-9;]*m/g, ""); // Deno paints the places in some of its messages
  // deno-lint-ignore no-control-regex
  return plain.replace(/[\u0000-\u001f\u007f\u0080-\u009f\u2028\u2029]+/g, (c) => c.trim() === "" ? " " : "?");
}

/** The line that tells `error`, and the exit status that goes with it. */
export function describeError(error: unknown): { readonly line: string; readonly status: Status } {
  if (error instanceof CliError) return { line: `ringside: ${oneLine(error.message)}`, status: error.status };
  if (error instanceof Deno.errors.NotCapable) {
    return { line: `ringside: ${oneLine(error.message)}`, status: Status.Permission };
  }
  const message = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return { line: `ringside: ${oneLine(message)} (${REPORT}; RINGSIDE_DEBUG=1 shows where)`, status: Status.Bug };
}

/** Tells `error` on standard error, with the stack of a bug of ours if RINGSIDE_DEBUG is set; returns the status. */
export function reportError(error: unknown): Status {
  const { line, status } = describeError(error);
  const stack = status === Status.Bug && error instanceof Error && debugging() ? `${error.stack ?? ""}\n` : "";
  writeStderr(`${line}\n${stack}`);
  return status;
}

/** Writes all of `text` to standard error; a standard error that is closed is nothing to fail for. */
export function writeStderr(text: string): void {
  let bytes = new TextEncoder().encode(text);
  try {
    while (bytes.length > 0) bytes = bytes.subarray(Deno.stderr.writeSync(bytes));
  } catch {
    // Nobody is there to be told.
  }
}

/**
 * What a file operation that failed says about the file, in our words: `cannot be read: no such file`. Errors that are
 * not about files, and denied Deno permissions, are passed on.
 */
export function fileError(file: string, doing: string, error: unknown): never {
  if (error instanceof Deno.errors.NotCapable || error instanceof CliError) throw error;
  throw new InputError(file, `cannot be ${doing}: ${reason(error)}`);
}

function reason(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "no such file";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied by the system";
  if (error instanceof Deno.errors.IsADirectory) return "it is a directory";
  if (error instanceof Deno.errors.NotADirectory) return "a part of its path is not a directory";
  if (error instanceof Deno.errors.FilesystemLoop) return "too many symbolic links";
  // Deno's texts are of the form "Text file busy (os error 26), open 'x'".
  if (error instanceof Error && /\(os error \d+\)/.test(error.message)) {
    return error.message.slice(0, error.message.indexOf(" (os error"));
  }
  throw error;
}
