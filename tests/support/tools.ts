/** Programs that tests use as an outside opinion, where they are installed. */

/** What a program said and how it ended. */
export interface ToolResult {
  readonly ok: boolean;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a program to its end; undefined where it is not installed. */
export async function runTool(
  command: string,
  args: readonly string[],
  stdin?: Uint8Array | string,
): Promise<ToolResult | undefined> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command(command, { args: [...args], stdin: "piped", stdout: "piped", stderr: "piped" }).spawn();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  const output = child.output();
  const writer = child.stdin.getWriter();
  try {
    if (stdin !== undefined) await writer.write(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
    await writer.close();
  } catch (error) {
    // The program ended without reading all of it.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
  const { success, stdout, stderr } = await output;
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { ok: success, stdout: text(stdout), stderr: text(stderr) };
}

/** First line of `command --version`; undefined where it is not installed. */
export async function toolVersion(command: string): Promise<string | undefined> {
  return (await runTool(command, ["--version"]))?.stdout.split("\n")[0];
}

/**
 * A test that needs a program. Its name tells the program's version, or that the test is skipped and why. `accepts`
 * refuses versions the test is not written for.
 */
export function withTool(
  name: string,
  tool: { readonly command: string; readonly version: string | undefined; readonly accepts?: RegExp },
  fn: () => void | Promise<void>,
): Deno.TestDefinition {
  const { command, version, accepts } = tool;
  const reason = version === undefined
    ? `${command} is not installed`
    : accepts !== undefined && !accepts.test(version)
    ? `written for another version than ${version}`
    : undefined;
  const suffix = reason === undefined ? ` (${version})` : ` (skipped: ${reason})`;
  return { name: name + suffix, ignore: reason !== undefined, fn };
}
