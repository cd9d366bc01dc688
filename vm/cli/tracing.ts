/** Connects the traces that the command line asks for to a machine's events. */
import type { EventStream } from "../events.ts";
import type { Isa } from "../isa/table.ts";
import { CommitWriter } from "../trace/commit.ts";
import { deviceFacts, DeviceTrace } from "../trace/devices.ts";
import { compileFilter, type FilterSpec, parseFilter, type RecordFilter } from "../trace/filter.ts";
import { JsonWriter } from "../trace/jsonl.ts";
import { type RecentInstruction, RecentRecords } from "../trace/recent.ts";
import type { ByteSink, RecordWriter } from "../trace/sink.ts";
import type { Symbolizer, SymbolRange } from "../trace/symbolizer.ts";
import { TextWriter } from "../trace/text.ts";
import { Timeline } from "../trace/timeline.ts";
import { UsageError } from "./errors.ts";
import { OutputFile } from "./files.ts";
import type { Settings } from "./options.ts";
import { filesOf } from "./permission.ts";

/** What a trace needs to know of the machine. */
export interface TraceContext {
  readonly events: EventStream;
  readonly isa: Isa;
  readonly harts: number;
  /** Absent where there are no symbols. */
  readonly symbolize: Symbolizer | undefined;
  readonly range: SymbolRange;
  /** Whether standard error is a terminal: colours. */
  readonly colour: boolean;
}

/** The traces of a run. */
export interface Tracing {
  /** Hands everything written so far to its file. */
  readonly flush: () => void;
  /** Traces nothing more. */
  readonly end: () => void;
  /** The same at the end of the run: nothing comes after it. */
  readonly finish: () => void;
  /** The last instructions of a hart; absent without an instruction trace. */
  readonly recent: ((hart: number) => RecentInstruction[]) | undefined;
}

/** Starts the traces. Their files are opened here: everything else that can be wrong must have been found before. */
export function startTracing(settings: Settings, context: TraceContext): Tracing {
  const { trace, traceDevices, traceFormat = "text", timeline } = settings;
  const filter = trace === undefined ? undefined : traceFilter(settings.traceFilters, context);
  const outputs: OutputFile[] = [];
  const open = (file: string): OutputFile => {
    const output = file === "" ? OutputFile.stderr() : OutputFile.open(file, filesOf(settings).read, outputs);
    outputs.push(output);
    return output;
  };
  // All files before a line of any.
  const sinks = [trace, traceDevices, timeline].map((file) => file === undefined ? undefined : open(file));
  const writers: { flush(): void }[] = [];
  const ends: (() => void)[] = [];
  const flush = (): void => writers.forEach((writer) => writer.flush());
  const recent = trace === undefined ? undefined : new RecentRecords(context.harts);
  if (sinks[0] !== undefined) {
    const writer = instructionWriter(traceFormat, sinks[0], context, filter);
    ends.push(context.events.onRecords((view, count) => {
      writer.records(view, count);
      recent?.records(view, count);
    }));
    writers.push(writer);
  }
  if (sinks[1] !== undefined) {
    const { events, symbolize, harts } = context;
    const colour = context.colour && traceDevices === "";
    const format = traceFormat === "jsonl" ? new JsonWriter(sinks[1], context) : undefined;
    const writer = format ?? new DeviceTrace(sinks[1], { symbolize, harts, colour });
    // Where both go to standard error, the lines are to stand in the order in which things happened.
    const together = trace === "" && traceDevices === "";
    for (const kind of deviceFacts) {
      ends.push(events.on(kind, (fact, where) => {
        if (together) flush();
        writer.fact(fact, where);
        if (together) flush();
      }));
    }
    writers.push(writer);
  }
  const picture = sinks[2] === undefined ? undefined : new Timeline(sinks[2], context.symbolize);
  picture?.attach(context.events);
  const finish = (): void => {
    flush();
    picture?.end();
  };
  return {
    flush,
    finish,
    end: () => ends.splice(0).forEach((end) => end()),
    recent: recent && ((hart) => recent.list(hart)),
  };
}

function instructionWriter(
  format: NonNullable<Settings["traceFormat"]>,
  sink: ByteSink,
  { isa, harts, symbolize }: TraceContext,
  filter: RecordFilter | undefined,
): RecordWriter {
  switch (format) {
    case "commit":
      return new CommitWriter(sink, { xlen: isa.xlen, flen: isa.extensions.includes("d") ? 64 : 32, filter });
    case "jsonl":
      return new JsonWriter(sink, { isa, symbolize, filter });
    case "text":
      return new TextWriter(sink, { isa, harts, symbolize, filter });
  }
}

/** The filter that `--trace-filter` asks for: several together are as one. */
function traceFilter(texts: readonly string[], { isa, range }: TraceContext): RecordFilter | undefined {
  if (texts.length === 0) return undefined;
  let spec: FilterSpec;
  try {
    spec = parseFilter(texts.join(","), range);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new UsageError(`--trace-filter: ${error.message}`);
  }
  return compileFilter(spec, isa);
}
