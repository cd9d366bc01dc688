/** The guest's consoles on the host: the terminal, or a script in its place. */
import type { CharPort } from "../../devices/char_port.ts";
import type { PortHost } from "../../devices/host/ports.ts";
import { Terminal, type TerminalHost, type TerminalSink } from "../../devices/host/terminal.ts";
import type { Clock } from "../bus/clock.ts";
import type { DeviceAction } from "./actions.ts";
import { ConsoleRoute } from "./console_route.ts";
import type { DeviceSpec } from "./device_parameters.ts";
import { writeStderr } from "./errors.ts";
import { terminalKeys } from "./keys.ts";
import type { Settings } from "./options.ts";
import type { StopCause } from "./outcome.ts";
import { HostPacing } from "./pacing.ts";
import { Session } from "./session.ts";

/** Virtual time between what a script awaited and the keys it sends, in nanoseconds. */
const TYPING_NS = 1000;

/** Who ends the run, and can tell where it is. */
export interface RunControl {
  stop(cause: StopCause): void;
  /** Where the guest is, in lines. */
  status(): Promise<readonly string[]>;
  /** Opens the monitor, or leaves it. */
  monitor(): void;
}

/** Name of the route's port of a console: the UART's, or that of port `id` of the device in a slot. */
function portName(where: "uart" | number, id = 0): string {
  if (where === "uart") return "uart";
  return id === 0 ? `virtio${where}` : `virtio${where}.${id}`;
}

/** Joins the consoles of a machine to standard input and output, or to a script. */
export class HostConsole {
  /** The script's progress, where there is one. */
  readonly session: Session | undefined;
  /** The host's clock for the machine. */
  readonly pacing: HostPacing;
  readonly #route: ConsoleRoute;
  readonly #terminal: Terminal;
  readonly #control: RunControl;
  /** Takes the keys in place of the guest. */
  #keyboard: Pick<TerminalSink, "feed"> | undefined;
  #failure: unknown;
  #clock: Clock | undefined;
  /** What the script does, keys it sends and actions, and virtual time has not come to yet. */
  #typing: (() => void)[] = [];
  #act: (act: DeviceAction) => void = () => {};
  #onResize: (cols: number, rows: number) => void = () => {};

  constructor(settings: Settings, slots: readonly (DeviceSpec | undefined)[], control: RunControl) {
    this.#control = control;
    const scripted = settings.script.length > 0;
    const silent = scripted || settings.image === "-";
    this.#route = new ConsoleRoute({
      output: (bytes) => this.#output(bytes),
      input: inputPort(settings, slots),
      wake: () => this.pacing.input(),
    });
    this.#terminal = new Terminal({
      sink: {
        feed: (bytes) => (this.#keyboard ?? this.#route).feed(bytes),
        room: () => this.#route.room(),
      },
      onEscape: (code) => this.#escape(code),
      onSignal: () => control.stop("interrupted"),
      onResize: (cols, rows) => this.#onResize(cols, rows),
      onEnd: () => this.pacing.end(),
      onClosed: () => control.stop("interrupted"),
      host: {
        stdin: silent ? noInput : Deno.stdin,
        stdout: { writeSync: (bytes) => this.#writeOut(bytes) },
        addSignalListener: Deno.addSignalListener,
        removeSignalListener: Deno.removeSignalListener,
        // It throws where there is none, which costs more than to ask.
        consoleSize: () => [Deno.stdin, Deno.stdout, Deno.stderr].some((one) => one.isTerminal()) && Deno.consoleSize(),
      },
    });
    this.pacing = new HostPacing(silent ? "none" : this.#terminal.interactive ? "terminal" : "pipe");
    this.session = scripted
      ? new Session(settings.script, {
        send: (bytes) => this.#later(() => this.#route.feed(bytes)),
        act: (act) => this.#later(() => this.#act(act)),
        met: () => control.stop("met"),
      })
      : undefined;
  }

  /** The port of the UART, or port `id` of the console in a slot. */
  port(where: "uart" | number, id = 0): CharPort {
    return this.#route.port(portName(where, id));
  }

  /** What ports with something else behind them need of the run. */
  get portHost(): PortHost {
    return {
      wake: () => this.pacing.input(),
      hold: () => this.pacing.hold(),
      report: (text) => this.#tell([text]),
    };
  }

  /** Size of the terminal, where there is one. */
  get size(): { readonly cols: number; readonly rows: number } | undefined {
    return this.#terminal.size;
  }

  /** Takes the terminal, or begins the script; `act` does something to a device. */
  start(
    clock: Clock,
    onResize: (cols: number, rows: number) => void,
    act: (act: DeviceAction) => void = () => {},
  ): void {
    this.#clock = clock;
    this.#onResize = onResize;
    this.#act = act;
    this.#terminal.start();
    this.session?.start();
  }

  /**
   * Hands the keys to somebody else than the guest, or back to it, with those that were typed too early for it. What the
   * guest has written is on the terminal then.
   */
  lendKeyboard(keyboard: Pick<TerminalSink, "feed"> | undefined, early?: Uint8Array): void {
    this.#keyboard = keyboard;
    if (early !== undefined) this.#route.feed(early);
    this.#terminal.flush();
  }

  /** The machine was reset: what was on its way at that moment has lost its deadline. */
  restarted(): void {
    for (const next of this.#typing.splice(0)) next();
  }

  /** Gives the terminal back, after the last of the output. */
  close(): void {
    this.#terminal.close();
  }

  /** Why standard output takes nothing more, where its reader has not simply gone away. */
  get failure(): unknown {
    return this.#failure;
  }

  #writeOut(bytes: Uint8Array): number {
    try {
      return Deno.stdout.writeSync(bytes);
    } catch (error) {
      const gone = error instanceof Deno.errors.BrokenPipe || /\(os error 5\)/.test(String(error));
      if (gone || error instanceof Deno.errors.WouldBlock) throw error;
      // The terminal takes it from there as for a reader that is gone, and the run ends.
      this.#failure ??= error;
      throw new Deno.errors.BrokenPipe("standard output failed");
    }
  }

  #output(bytes: Uint8Array): void {
    this.#terminal.write(bytes);
    this.session?.output(bytes);
  }

  /** What a script does reaches the guest a little later: it is in the middle of writing what was waited for. */
  #later(next: () => void): void {
    this.#typing.push(next);
    this.#clock?.after(TYPING_NS, () => this.#typing.shift()?.());
  }

  /** A key was pressed after Ctrl-A. */
  #escape(code: number): Uint8Array | undefined {
    const key = terminalKeys.find((one) => one.code === code);
    switch (key?.action) {
      case "quit":
        this.#control.stop("interrupted");
        return undefined;
      case "monitor":
        this.#control.monitor();
        return undefined;
      case "literal":
        return Uint8Array.of(code);
      case "status":
        this.#control.status().then((lines) => this.#tell(lines));
        return undefined;
      case "help":
      case undefined:
        this.#tell([
          ...(key === undefined ? ["this key after Ctrl-A does nothing; those that do:"] : []),
          ...terminalKeys.map(({ keys, what }) => `${keys.padEnd(14)} ${what}`),
        ]);
        return undefined;
    }
  }

  /** Tells something in between; a raw terminal still turns line feeds into new lines. */
  #tell(lines: readonly string[]): void {
    this.#terminal.flush();
    writeStderr(["", ...lines.map((line) => `ringside: ${line}`), ""].join("\n"));
  }
}

/** The port that `--stdin` names. */
function inputPort(settings: Settings, slots: readonly (DeviceSpec | undefined)[]): string | undefined {
  if (settings.stdin === undefined) return undefined;
  if (settings.stdin === "uart") return portName("uart");
  return portName(slots.findIndex((spec) => spec?.kind === "console"));
}

/** In place of standard input, where a script is or the image came from there. */
const noInput: TerminalHost["stdin"] = { isTerminal: () => false, setRaw: () => {}, read: () => Promise.resolve(null) };
