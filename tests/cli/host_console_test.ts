import { assertEquals, assertStringIncludes } from "@std/assert";
import { CommandFolder } from "../support/command.ts";
import { toolVersion, withTool } from "../support/tools.ts";

const MAIN = decodeURIComponent(new URL("../../vm/main.ts", import.meta.url).pathname);

/** Prints "up\n" on the UART, then echoes what is typed. */
const ECHO = `
  li s0, 0x10000000
  li t0, 0x75; sb t0, 0(s0); li t0, 0x70; sb t0, 0(s0); li t0, 10; sb t0, 0(s0)
  again: lbu t0, 5(s0); andi t0, t0, 1; beqz t0, again; lbu a0, 0(s0); sb a0, 0(s0); j again`;

/** A terminal with something running in it: `script` of util-linux makes one. */
class PseudoTerminal {
  readonly #child: Deno.ChildProcess;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #writer: WritableStreamDefaultWriter<Uint8Array>;
  text = "";

  constructor(command: string, cwd: string) {
    this.#child = new Deno.Command("script", {
      args: ["-qec", command, "/dev/null"],
      cwd,
      stdin: "piped",
      stdout: "piped",
      stderr: "null",
      signal: AbortSignal.timeout(30_000),
    }).spawn();
    this.#reader = this.#child.stdout.getReader();
    this.#writer = this.#child.stdin.getWriter();
  }

  /** Waits until `text` was shown, and forgets what was shown up to its end. */
  async expect(text: string): Promise<void> {
    while (!this.text.includes(text)) {
      const { done, value } = await this.#reader.read();
      if (done) throw new Error(`ended before showing ${JSON.stringify(text)}; last: ${JSON.stringify(this.text)}`);
      this.text += new TextDecoder().decode(value);
    }
    this.text = this.text.slice(this.text.indexOf(text) + text.length);
  }

  async type(keys: string): Promise<void> {
    await this.#writer.write(new TextEncoder().encode(keys));
  }

  /** The rest, up to the end. */
  async end(): Promise<string> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      this.text += new TextDecoder().decode(value);
    }
    await this.#writer.close().catch(() => {});
    await this.#child.status;
    return this.text;
  }
}

const script = { command: "script", version: await toolVersion("script"), accepts: /util-linux/ };

Deno.test(
  withTool("on a terminal every key is the guest's but Ctrl-A, and the terminal is given back", script, async () => {
    using folder = new CommandFolder();
    folder.program("echo.bin", ECHO);
    const run =
      `'${Deno.execPath()}' run -A --frozen '${MAIN}' echo.bin; echo status $?; stty -a | grep -o -- '-*icanon'`;
    const terminal = new PseudoTerminal(run, folder.path);
    await terminal.expect("up\r\n");
    await terminal.type("a\x03\x04b");
    await terminal.expect("a\x03\x04b"); // Ctrl-C and Ctrl-D went to the guest, once, without an echo of the terminal's
    await terminal.type("\x01\x01");
    await terminal.expect("\x01");
    await terminal.type("\x01h");
    await terminal.expect("ringside: Ctrl-A x       quit\r\n");
    await terminal.type("\x01w");
    await terminal.expect("ringside: hart 0 runs in M mode at 0x800000");
    await terminal.type("\x01?");
    await terminal.expect("ringside: this key after Ctrl-A does nothing");
    await terminal.type("c");
    await terminal.expect("c");
    await terminal.type("\x01xd");
    const rest = await terminal.end();
    assertStringIncludes(rest, "status 130\r\n");
    assertEquals(rest.trimEnd().split("\r\n").at(-1), "icanon");
  }),
);
