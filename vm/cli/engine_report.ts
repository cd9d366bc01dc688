/** `--stats` and `--dump-region`: what the engines did, at the end of a run. */
import type { EngineStatistics, TranslatedRegion } from "../hart/engine_statistics.ts";
import { Disassembler } from "../isa/disassemble.ts";
import type { Isa } from "../isa/table.ts";
import type { Machine } from "../machine.ts";
import type { Symbolizer } from "../trace/symbolizer.ts";
import { functionCode, type WasmLine, wasmLines } from "../translate/wasm_text.ts";
import { UsageError } from "./errors.ts";
import type { ImageNames } from "./image_names.ts";
import type { Settings } from "./options.ts";

/** Widths of the columns of a dump. */
const ADDRESS_WIDTH = 20;
const TEXT_WIDTH = 32;

/** Watches the engines; what it returns gives the text for standard error, once the run is over. */
export function startEngineReport(settings: Settings, machine: Machine, names: ImageNames): () => string {
  const { stats, dumpRegion } = settings;
  const wanted = dumpRegion === undefined ? undefined : rangeOf(dumpRegion, names);
  const from = performance.now();
  let found: TranslatedRegion | undefined;
  machine.engines.observe({
    ...(stats === true && { now: () => performance.now() }),
    ...(wanted !== undefined && {
      region: (region) => {
        if (region.instructions.some(({ pc }) => pc >= wanted.start && pc < wanted.end)) found = region;
      },
    }),
  });
  return () => {
    const parts: string[] = [];
    if (wanted !== undefined) {
      const { isa } = machine;
      parts.push(found === undefined ? `no region has ${dumpRegion}\n` : regionText(found, isa, names.symbolize));
    }
    if (stats === true) {
      const total = performance.now() - from;
      machine.engines.current.forEach((engine, i) => {
        const statistics = engine.statistics?.();
        const { length } = machine.harts;
        if (statistics !== undefined) parts.push(statisticsText(statistics, total, length > 1 ? `hart ${i}: ` : ""));
        else parts.push(`${machine.harts[i]!.steps} steps by the reference executor\n`);
      });
    }
    return parts.join("\n");
  };
}

/** A symbol's range, or one address. */
function rangeOf(text: string, { symbols }: ImageNames): { readonly start: bigint; readonly end: bigint } {
  const range = symbols.rangeOf(text);
  if (range !== undefined) return range;
  if (!/^(0x[0-9a-f]+|\d+)$/i.test(text)) {
    throw new UsageError(`--dump-region: expected an address or the name of a symbol, got "${text}"`);
  }
  return { start: BigInt(text), end: BigInt(text) + 1n };
}

/** What an engine did, a line for each kind of thing. `total` is the time of the run in milliseconds. */
export function statisticsText(statistics: EngineStatistics, total: number, prefix = ""): string {
  const { steps, left, regions, time } = statistics;
  const all = steps.translated + steps.interpreted + steps.executor;
  const share = (n: number) => `${(all === 0 ? 0 : 100 * n / all).toFixed(1)} %`;
  const lines = [
    `${prefix}steps: ${all}: ${share(steps.translated)} translated, ${share(steps.interpreted)} interpreted, ` +
    `${steps.executor} by the reference executor`,
  ];
  if (regions !== undefined) {
    const { made, instructions, live, remade, dropped, flushed, ends } = regions;
    lines.push(
      `regions: ${made} made, of ${instructions} instructions; ${live} live, ${dropped} dropped, ` +
        `${remade} of them to follow more jumps; ${flushed} flushes`,
      `regions ended: ${ends.budget} for the slice, ${ends.code} where code goes on, ${ends.jump} at a jump, ` +
        `${ends.instruction} at an instruction, ${ends.miss} at a page`,
    );
  }
  lines.push(
    `emitted code came back: ${left.budget} for the slice, ${left.slow} at an instruction, ` +
      `${left.undecoded} to decode, ${left.page} for a page of code, ` +
      `${left["load-miss"] + left["store-miss"]} for a page of data, ${left.stale} to look at mappings`,
  );
  if (time !== undefined) {
    const rest = Math.max(0, total - time.emitted - time.translating);
    const ms = (n: number) => `${n.toFixed(0)} ms`;
    lines.push(
      `time: ${ms(total)}: ${ms(time.emitted)} in emitted code, ${
        ms(time.translating)
      } finding and translating code (at most ${time.longest.toFixed(1)} ms at a time), ` +
        `${ms(rest)} elsewhere`,
    );
  }
  return lines.map((line) => `${line}\n`).join("");
}

/** A region, guest instructions beside the WebAssembly that stands for them. */
export function regionText(
  { entries, instructions, module, function: index }: TranslatedRegion,
  isa: Isa,
  symbol?: Symbolizer,
): string {
  const disassembler = new Disassembler(isa, { aliases: true });
  const name = (pc: bigint) => {
    const place = symbol?.(pc);
    const hex = `0x${pc.toString(16)}`;
    return place === undefined
      ? hex
      : `${hex} <${place.name}${place.offset === 0 ? "" : `+0x${place.offset.toString(16)}`}>`;
  };
  const out = [`region with entries ${entries.map(name).join(", ")}; ${instructions.length} instructions`];
  const lines = wasmLines(functionCode(module, index));
  let next = 0;
  const put = (left: string, line: WasmLine | undefined) =>
    out.push(
      `${left.padEnd(ADDRESS_WIDTH + TEXT_WIDTH)}${line === undefined ? "" : "  ".repeat(line.depth) + line.text}`
        .trimEnd(),
    );
  instructions.forEach(({ pc, word, at }, i) => {
    while (next < lines.length && lines[next]!.at < at) put("", lines[next++]);
    const end = instructions[i + 1]?.at ?? Infinity;
    const text = `${`0x${pc.toString(16)}`.padEnd(ADDRESS_WIDTH)}${disassembler.text(word, pc)}`;
    // An instruction may have no code: what it does is where control goes.
    const own = lines[next] !== undefined && lines[next]!.at < end ? lines[next++] : undefined;
    put(text, own);
  });
  while (next < lines.length) put("", lines[next++]);
  return `${out.join("\n")}\n`;
}
