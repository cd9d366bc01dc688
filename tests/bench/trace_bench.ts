/**
 * Lines per second of the trace writers alone: records of a recorded run, over and over, formatted into a sink.
 *
 *     deno run -A tests/bench/trace_bench.ts [file]
 *
 * With a file name the bytes are written there (and the file removed afterwards); without, they are dropped.
 */
import { CommitWriter } from "../../vm/trace/commit.ts";
import { JsonWriter } from "../../vm/trace/jsonl.ts";
import { TextWriter } from "../../vm/trace/text.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import type { ByteSink, RecordWriter } from "../../vm/trace/sink.ts";
import { RECORD } from "../../vm/events.ts";
import { commitLogRecords } from "../support/commit_log.ts";

/** Records per batch: what a ring holds. */
const BATCH = 16384;
const SECONDS = 1;

class CountingSink implements ByteSink {
  bytes = 0;
  readonly #file: Deno.FsFile | undefined;
  constructor(file: Deno.FsFile | undefined) {
    this.#file = file;
  }
  write(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    for (let at = 0; this.#file !== undefined && at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
  }
}

/** One writer's figures, as a line. */
function measure(
  name: string,
  make: (sink: ByteSink) => RecordWriter,
  view: DataView<ArrayBuffer>,
  path: string | undefined,
): string {
  const file = path === undefined ? undefined : Deno.openSync(path, { write: true, create: true, truncate: true });
  try {
    const sink = new CountingSink(file);
    const writer = make(sink);
    let lines = 0;
    for (let warm = 0; warm < 20; warm++) writer.records(view, BATCH);
    sink.bytes = 0;
    file?.truncateSync(0);
    file?.seekSync(0, Deno.SeekMode.Start);
    const start = performance.now();
    while (performance.now() - start < SECONDS * 1000) {
      writer.records(view, BATCH);
      lines += BATCH;
    }
    writer.flush();
    const seconds = (performance.now() - start) / 1000;
    const rate = (lines / seconds / 1e6).toFixed(2).padStart(6);
    const speed = (sink.bytes / seconds / 1e6).toFixed(0).padStart(5);
    return `${name.padEnd(8)} ${rate} M lines/s  ${speed} MB/s  ${(sink.bytes / lines).toFixed(0)} bytes/line`;
  } finally {
    file?.close();
    if (path !== undefined) Deno.removeSync(path);
  }
}

/** A batch of instruction records only (CSR accesses are rare in real code), from a recorded run. */
function batch(): DataView<ArrayBuffer> {
  const log = Deno.readTextFileSync(new URL("../trace/recorded/commit_sample_rv64.log", import.meta.url));
  const plain = log.split("\n").filter((line) => !/ c\d+_/.test(line)).join("\n");
  const { view, count } = commitLogRecords(plain);
  const source = new Uint8Array(view.buffer, 0, count * RECORD.bytes);
  const bytes = new Uint8Array(BATCH * RECORD.bytes);
  for (let at = 0; at < bytes.length; at += source.length) {
    bytes.set(source.subarray(0, Math.min(source.length, bytes.length - at)), at);
  }
  return new DataView(bytes.buffer);
}

/** Figures of every format, a line each; the bytes go to the file `path`, or nowhere. */
export function traceRates(path?: string): string[] {
  const view = batch();
  const isa = parseIsa("rv64imac");
  const symbolize = (addr: bigint) => ({ name: "_start", offset: addr - 0x80000000n });
  return [
    measure("commit", (sink) => new CommitWriter(sink, { xlen: 64 }), view, path),
    measure("text", (sink) => new TextWriter(sink, { isa, symbolize }), view, path),
    measure("jsonl", (sink) => new JsonWriter(sink, { isa, symbolize }), view, path),
  ];
}

if (import.meta.main) {
  console.log(`trace writers, ${Deno.args[0] === undefined ? "bytes dropped" : `to ${Deno.args[0]}`}`);
  for (const line of traceRates(Deno.args[0])) console.log(line);
}
