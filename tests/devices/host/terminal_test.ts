import { assert, assertEquals } from "@std/assert";
import { Terminal, type TerminalHost, type TerminalOptions } from "../../../devices/host/terminal.ts";
import { canTryPty, onPty } from "../../support/pty.ts";

/** A host that a test plays. */
class FakeHost implements TerminalHost {
  output = "";
  readonly raw: boolean[] = [];
  /** Most bytes standard output takes at once, and what it throws instead. */
  takes = Infinity;
  failing: Error[] = [];
  columns = 80;
  readonly signals = new Map<Deno.Signal, () => void>();
  reads = 0;
  readonly #terminal: boolean;
  #waiting: ((bytes: Uint8Array | null) => void) | undefined;
  #input: (Uint8Array | null)[] = [];

  constructor(terminal: boolean) {
    this.#terminal = terminal;
  }

  readonly stdin = {
    isTerminal: (): boolean => this.#terminal,
    setRaw: (raw: boolean): void => void this.raw.push(raw),
    read: async (target: Uint8Array): Promise<number | null> => {
      this.reads++;
      const bytes = this.#input.length > 0
        ? this.#input.shift()!
        : await new Promise<Uint8Array | null>((resolve) => this.#waiting = resolve);
      if (bytes === null) return null;
      target.set(bytes);
      return bytes.length;
    },
  };

  readonly stdout = {
    writeSync: (bytes: Uint8Array): number => {
      const error = this.failing.shift();
      if (error !== undefined) throw error;
      const taken = bytes.subarray(0, this.takes);
      this.output += new TextDecoder().decode(taken);
      return taken.length;
    },
  };

  addSignalListener(signal: Deno.Signal, listener: () => void): void {
    if (signal === "SIGHUP") throw new TypeError("not on this system");
    this.signals.set(signal, listener);
  }

  removeSignalListener(signal: Deno.Signal): void {
    this.signals.delete(signal);
  }

  consoleSize(): { columns: number; rows: number } {
    if (!this.#terminal) throw new Error("not a terminal");
    return { columns: this.columns, rows: 24 };
  }

  /** Types text; null is the end of input. */
  async type(text: string | null): Promise<void> {
    const bytes = text === null ? null : new TextEncoder().encode(text);
    if (this.#waiting === undefined) this.#input.push(bytes);
    else this.#waiting(bytes);
    this.#waiting = undefined;
    await settle();
  }
}

function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}

/** A terminal and what it told. */
function rig(interactive: boolean, options: Partial<TerminalOptions> = {}): {
  host: FakeHost;
  terminal: Terminal;
  told: string[];
} {
  const host = new FakeHost(interactive);
  const told: string[] = [];
  const terminal = new Terminal({
    host,
    sink: {
      feed: (bytes) => void told.push(`in ${new TextDecoder().decode(bytes)}`),
      room: () => Promise.resolve(),
    },
    onEscape: (code) => {
      told.push(`escape ${String.fromCharCode(code)}`);
      return code === 1 ? Uint8Array.of(1) : undefined;
    },
    onSignal: (signal) => void told.push(signal),
    onResize: (cols, rows) => void told.push(`${cols}x${rows}`),
    onEnd: () => void told.push("end"),
    onClosed: () => void told.push("closed"),
    ...options,
  });
  return { host, terminal, told };
}

const text = (string: string): Uint8Array => new TextEncoder().encode(string);

Deno.test("a keyboard is raw until close, and its keys are the guest's but for the escape", async () => {
  const { host, terminal, told } = rig(true);
  terminal.start();
  assertEquals(host.raw, [true]);
  await host.type("ab\x03");
  await host.type("c\x01xd\x01");
  await host.type("w\x01\x01e");
  assertEquals(told, ["in ab\x03", "in c", "escape x", "in d", "escape w", "escape \x01", "in \x01e"]);
  terminal.close();
  terminal.close();
  assertEquals(host.raw, [true, false]);
  assertEquals(host.signals.size, 0);
});

Deno.test("piped input has no escape, no raw mode, and an end", async () => {
  const { host, terminal, told } = rig(false);
  terminal.start();
  await host.type("a\x01x");
  await host.type(null);
  assertEquals(told, ["in a\x01x", "end"]);
  assertEquals(host.raw, []);
  assertEquals(terminal.size, undefined);
  terminal.close();
});

Deno.test("piped input waits until the guest has taken enough; a keyboard never waits", async () => {
  for (const interactive of [false, true]) {
    let open = (): void => {};
    const room = (): Promise<void> => new Promise((resolve) => open = resolve);
    const told: string[] = [];
    const { host, terminal } = rig(interactive, { sink: { feed: () => void told.push("in"), room } });
    terminal.start();
    await host.type("a");
    assertEquals(host.reads > 0, interactive);
    open();
    await settle();
    assertEquals(told, ["in"]);
    terminal.close();
  }
});

Deno.test("ending signals undo raw mode before they are told", () => {
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const { host, terminal, told } = rig(true, { onSignal: (which) => void told.push(`${which} ${host.raw.at(-1)}`) });
    terminal.start();
    host.signals.get(signal)!();
    assertEquals(told, [`${signal} false`]);
    terminal.close();
    assertEquals(host.raw, [true, false]);
  }
});

Deno.test("continued after a stop the keyboard is raw again; a new size is told", () => {
  const { host, terminal, told } = rig(true);
  terminal.start();
  host.signals.get("SIGCONT")!();
  assertEquals(host.raw, [true, true]);
  host.columns = 132;
  host.signals.get("SIGWINCH")!();
  assertEquals(told, ["132x24"]);
  terminal.close();
});

Deno.test("unload, which Deno.exit causes, gives the terminal back", () => {
  const { host, terminal } = rig(true);
  terminal.start();
  terminal.write(text("last"));
  globalThis.dispatchEvent(new Event("unload"));
  assertEquals(host.output, "last");
  assertEquals(host.raw, [true, false]);
});

Deno.test("output is gathered until the code yields, and never lost at the end", async () => {
  const { host, terminal } = rig(false);
  terminal.write(text("a"));
  terminal.write(text("b"));
  assertEquals(host.output, "");
  await Promise.resolve();
  assertEquals(host.output, "ab");
  terminal.write(text("c"));
  terminal.close();
  assertEquals(host.output, "abc");
});

Deno.test("much output does not pile up, and partial writes are completed", () => {
  const { host, terminal } = rig(false);
  host.takes = 1000;
  const long = "0123456789".repeat(20_000);
  terminal.write(text(long));
  assert(host.output.length >= long.length - 65536);
  terminal.flush();
  assertEquals(host.output, long);
});

Deno.test("a reader that goes away is told once, and output goes nowhere from then on", () => {
  for (const error of [new Deno.errors.BrokenPipe("gone"), new Error("Input/output error (os error 5)")]) {
    const { host, terminal, told } = rig(false);
    host.failing = [error];
    terminal.write(text("a"));
    terminal.flush();
    terminal.write(text("b"));
    terminal.flush();
    terminal.close();
    assertEquals(host.output, "");
    assertEquals(told, ["closed"]);
  }
});

Deno.test("a terminal that is busy is written to again", () => {
  const { host, terminal } = rig(false);
  host.failing = [new Deno.errors.WouldBlock("busy"), new Deno.errors.WouldBlock("busy")];
  terminal.write(text("a"));
  terminal.flush();
  assertEquals(host.output, "a");
});

/** Whether a pseudo-terminal can be had: util-linux's `script`, and `stty` to look at it. */

for (
  const [way, output, status] of [
    ["exit", "<ready><last words>", 3],
    ["throw", "<ready><last words>", 1],
    ["signal", "<ready><last words>", 130],
    ["key", "<ready><last words>\x03a<left>", 0],
  ] as const
) {
  Deno.test({
    name: `on a real terminal: ${way} gives it back in order`,
    ignore: !canTryPty(), // needs util-linux's script and stty
    async fn(): Promise<void> {
      const program = new URL("./terminal_program.ts", import.meta.url).pathname;
      const command = `${Deno.execPath()} run -A --quiet ${program} ${way}; echo "status $?"; stty -a`;
      // Typed only when the program is there to take it: before that the terminal would act on Ctrl-C itself.
      const shown = await onPty(command, way === "key" ? [["<last words>", "\x03a\x01x"]] : []);
      assert(shown.startsWith(output), shown);
      assert(shown.includes(`status ${status}`), shown);
      assert(/\sicanon\s/.test(shown) && /\sisig\s/.test(shown), shown);
    },
  });
}
