/** The monitor: the machine stands still, and commands look at it. */
import type { Machine, Stop } from "../machine.ts";
import { deviceFacts, DeviceTrace } from "../trace/devices.ts";
import type { ByteSink } from "../trace/sink.ts";
import { TextWriter } from "../trace/text.ts";
import { CliError } from "./errors.ts";
import type { LineEditor } from "./line_editor.ts";
import { monitorCommand, type MonitorEnd, type MonitorState } from "./monitor_commands.ts";
import { MonitorError } from "./monitor_values.ts";
import type { ReportContext } from "./report.ts";

/** What a monitor is joined to. */
export interface MonitorOptions {
  readonly context: ReportContext;
  readonly lines: Pick<LineEditor, "read">;
  /** Shows text to the user. */
  readonly write: (text: string) => void;
  /** Opens a file for a trace. Throws a `CliError` for one that cannot be. */
  readonly open: (file: string) => ByteSink;
  /** Ends the traces of the command line; absent where there are none. */
  readonly endTraces?: (() => void) | undefined;
}

/** How often traces are handed over, in milliseconds. */
const FLUSH_MS = 100;

/** A monitor; it keeps its traces and its hart while the guest goes on. */
export class Monitor implements MonitorState {
  readonly context: ReportContext;
  hart: MonitorState["hart"];
  readonly #options: MonitorOptions;
  /** What the traces that were started here need to be ended, and handed over. */
  #traces: { readonly end: () => void; readonly flush: () => void }[] = [];
  #timer: ReturnType<typeof setInterval> | undefined;
  #last = "";
  #greeted = false;

  constructor(options: MonitorOptions) {
    this.#options = options;
    this.context = options.context;
    this.hart = options.context.machine.harts[0]!;
  }

  /** Takes commands until one lets the guest go on, ends the run, or stepping ended it. */
  async converse(): Promise<MonitorEnd> {
    this.flush();
    this.#options.write("\n");
    await this.#command("why");
    if (!this.#greeted) this.print(["The machine stands still. help lists the commands, continue lets it go on."]);
    this.#greeted = true;
    for (;;) {
      const typed = await this.#options.lines.read("monitor> ");
      if (typed === undefined) {
        this.#options.write("\n");
        return "continue";
      }
      // Only what looks at the next thing is worth repeating.
      const line = typed.trim() === "" ? this.#last : typed.trim();
      this.#last = line;
      const end = await this.#command(line);
      if (end !== undefined) return end;
    }
  }

  async #command(line: string): Promise<MonitorEnd | undefined> {
    try {
      return await monitorCommand(this, line) ?? undefined;
    } catch (error) {
      if (!(error instanceof MonitorError) && !(error instanceof CliError)) throw error;
      this.print([error.message]);
      return undefined;
    }
  }

  print = (lines: readonly string[]): void => {
    this.#options.write(lines.map((line) => `${line}\n`).join(""));
  };

  async step(steps: number): Promise<Stop | undefined> {
    const { machine, names } = this.context;
    if (machine.harts.every((hart) => hart.waiting && !hart.attention) && machine.clock.next === Infinity) {
      throw new MonitorError("every hart waits for an interrupt, and none is due: continue, and let something happen");
    }
    const writer = new TextWriter(this.#terminal(), {
      isa: machine.isa,
      harts: machine.harts.length,
      symbolize: names.symbolize,
    });
    // Traced already, the instructions are shown by that.
    const end = this.#traces.length > 0
      ? () => {}
      : machine.events.onRecords((view, count) => writer.records(view, count));
    try {
      const stop = await machine.run({ steps: machine.clock.steps + steps });
      machine.events.drainRecords();
      if (stop.reason !== "limit" && stop.reason !== "stopped") return stop;
    } finally {
      end();
      writer.flush();
      this.flush();
    }
    await this.#command("disassemble pc 1");
    return undefined;
  }

  trace(what: "instructions" | "devices" | "off", file: string | undefined): string {
    if (what === "off") {
      this.close();
      this.#options.endTraces?.();
      return "nothing is traced any more";
    }
    const { machine, names: { symbolize } } = this.context;
    const sink = file === undefined ? this.#terminal() : this.#options.open(file);
    this.#traces.push(
      what === "instructions" ? instructions(machine, symbolize, sink) : devices(machine, symbolize, sink),
    );
    this.#timer ??= setInterval(() => this.flush(), FLUSH_MS);
    return `${what} are traced to ${file ?? "the terminal"}; trace off ends it`;
  }

  /** Hands over what traces have. */
  flush(): void {
    this.context.machine.events.drainRecords();
    for (const { flush } of this.#traces) flush();
  }

  /** Ends the traces that were started here. */
  close(): void {
    this.flush();
    for (const { end } of this.#traces.splice(0)) end();
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #terminal(): ByteSink {
    const decoder = new TextDecoder();
    return { write: (bytes) => this.#options.write(decoder.decode(bytes, { stream: true })) };
  }
}

type Symbolize = ReportContext["names"]["symbolize"];

function instructions(machine: Machine, symbolize: Symbolize, sink: ByteSink): { end: () => void; flush: () => void } {
  const writer = new TextWriter(sink, { isa: machine.isa, harts: machine.harts.length, symbolize });
  const end = machine.events.onRecords((view, count) => writer.records(view, count));
  return { end, flush: () => writer.flush() };
}

function devices(machine: Machine, symbolize: Symbolize, sink: ByteSink): { end: () => void; flush: () => void } {
  const writer = new DeviceTrace(sink, { symbolize, harts: machine.harts.length, colour: false });
  const ends = deviceFacts.map((kind) => machine.events.on(kind, (fact, where) => writer.fact(fact, where)));
  return { end: () => ends.forEach((one) => one()), flush: () => writer.flush() };
}
