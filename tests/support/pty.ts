/** Programs on a real terminal, by util-linux's `script`. */

/** Whether there is what it needs. */
export function canTryPty(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    return new Deno.Command("script", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success &&
      new Deno.Command("stty", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/**
 * Runs a shell command on a terminal and types: each pair waits until its text has been shown after the last one, and then
 * types. Gives everything that was shown.
 */
export async function onPty(
  command: string,
  keys: readonly (readonly [shown: string, typed: string])[],
): Promise<string> {
  const child = new Deno.Command("script", {
    args: ["-qec", command, "/dev/null"],
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
    env: { NO_COLOR: "1" },
  }).spawn();
  let shown = "";
  let from = 0;
  let next = 0;
  const decoder = new TextDecoder();
  const keyboard = child.stdin.getWriter();
  for await (const bytes of child.stdout) {
    shown += decoder.decode(bytes, { stream: true });
    for (let at = 0; next < keys.length && (at = shown.indexOf(keys[next]![0], from)) >= 0; next++) {
      from = at + keys[next]![0].length;
      await keyboard.write(new TextEncoder().encode(keys[next]![1]));
    }
  }
  await keyboard.close().catch(() => {});
  await child.status;
  return shown;
}
