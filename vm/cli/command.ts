/** The command line, from its arguments to the exit status. */
import { fileError, oneLine, PermissionError, reportError, Status, writeStderr } from "./errors.ts";
import type { Settings, Showing } from "./options.ts";
import { parseCommandLine } from "./parse.ts";
import { runMachine } from "./run.ts";

/** Runs `args` and returns the exit status; everything that goes wrong is told on standard error. */
export async function command(args: readonly string[], main: string): Promise<number> {
  let settings: Settings | undefined;
  try {
    if (args[0] === "explain") return await explain(args.slice(1));
    settings = parseCommandLine(args);
    return settings.show === undefined ? await run(settings) : await show(settings.show);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotCapable) || settings === undefined) return reportError(error);
    return await reportDenied(error, settings, main, args);
  }
}

async function run(settings: Settings): Promise<number> {
  if (settings.commit !== undefined) {
    const { commitDrive } = await import("./disks.ts");
    writeStderr(`ringside: ${oneLine(await commitDrive(settings.commit))}\n`);
    return Status.Ok;
  }
  return await runMachine(settings);
}

async function show(what: Showing): Promise<Status> {
  const { shown } = await import("./help.ts");
  return print(shown(what));
}

async function explain(args: readonly string[]): Promise<Status> {
  const { explained } = await import("./explain.ts");
  return print(explained(args));
}

function print(text: string): Status {
  const bytes = new TextEncoder().encode(text);
  try {
    for (let at = 0; at < bytes.length;) at += Deno.stdout.writeSync(bytes.subarray(at));
  } catch (error) {
    // Whoever has read enough has seen it.
    if (!(error instanceof Deno.errors.BrokenPipe)) fileError("standard output", "written", error);
  }
  return Status.Ok;
}

async function reportDenied(
  error: Deno.errors.NotCapable,
  settings: Settings,
  main: string,
  args: readonly string[],
): Promise<Status> {
  const { mainPath, permittedCommand } = await import("./permission.ts");
  // "Requires read access to "x", run again with the --allow-read flag": the command says the second half better.
  const what = error.message.replace(/, run again with.*$/s, "").replace(
    /^Requires (\w+) access/,
    "Deno denied $1 access",
  );
  return reportError(new PermissionError(what, permittedCommand(settings, mainPath(main, Deno.cwd()), args)));
}
