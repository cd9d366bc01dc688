import { assertEquals } from "@std/assert";
import { readImage } from "../../vm/boot/image.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { engineNames, Machine } from "../../vm/machine.ts";
import { CommitWriter } from "../../vm/trace/commit.ts";
import { MemorySink } from "../../vm/trace/sink.ts";

/** A recorded program, from its hexadecimal text. */
function program(name: string): Uint8Array<ArrayBuffer> {
  const text = Deno.readTextFileSync(new URL(`recorded/${name}`, import.meta.url)).replaceAll("\n", "");
  return Uint8Array.from(text.match(/../g)!, (byte) => parseInt(byte, 16));
}

for (const engine of engineNames) {
  for (const xlen of [64, 32] as const) {
    Deno.test(`commit: the whole log of a program is Spike's, RV${xlen}, ${engine}`, async () => {
      const recorded = Deno.readTextFileSync(new URL(`recorded/commit_sample_rv${xlen}.log`, import.meta.url));
      const lines = recorded.trimEnd().split("\n");
      const uart = { write() {}, read: () => new Uint8Array(0), onReadable() {} };
      const machine = new Machine({
        isa: parseIsa(`rv${xlen}imac_zicntr`),
        memorySize: 1 << 20,
        uart,
        slots: [],
        engine,
        pmpEntries: 0,
      });
      const sink = new MemorySink();
      const writer = new CommitWriter(sink, { xlen });
      machine.events.onRecords((view, count) => writer.records(view, count));
      machine.load(readImage(program(`commit_sample_rv${xlen}.hex`), { name: "commit_sample.bin" }));
      // Traps and interrupts are steps without a line, and the boot ROM has lines that are not compared.
      await machine.run({ steps: lines.length + 100 });
      writer.flush();
      const written = sink.text().split("\n");
      const start = written.findIndex((line) => /^core {3}0: 3 0x0*80000000 /.test(line));
      assertEquals(written.slice(start, start + lines.length), lines);
    });
  }
}
