import { assertEquals } from "@std/assert";
import { EventStream, RECORD, RecordKind } from "../../vm/events.ts";
import { RECORDS } from "../../vm/hart/layout.ts";
import { RecordRing } from "../../vm/hart/record_ring.ts";

const BASE = 0x1_0000;

/** A ring, and the batches its listener got: the pcs of their records. */
function ring(): { ring: RecordRing; batches: number[][] } {
  const events = new EventStream();
  const batches: number[][] = [];
  events.onRecords((view, count) => {
    batches.push(
      Array.from({ length: count }, (_, i) => Number(view.getBigUint64(i * RECORD.bytes + RECORD.pc, true))),
    );
  });
  const buffer = new ArrayBuffer(BASE + RECORDS * RECORD.bytes);
  return { ring: new RecordRing(buffer, BASE, events), batches };
}

Deno.test("records come in order, and once", () => {
  const { ring: r, batches } = ring();
  for (const pc of [1n, 2n, 3n]) r.begin(RecordKind.Retired, pc, 3, 0, 0);
  r.drain();
  r.drain();
  r.begin(RecordKind.Retired, 4n, 3, 0, 0);
  r.drain();
  assertEquals(batches, [[1, 2, 3], [4]]);
});

Deno.test("a record begins clean, with what every record has", () => {
  const { ring: r } = ring();
  const bytes = new Uint8Array(r.view.buffer, BASE, RECORDS * RECORD.bytes).fill(0xff);
  const at = r.begin(RecordKind.Retired, 0x8000_0004n, 1, 5, 2 ** 33 + 7);
  assertEquals(r.view.getBigUint64(at + RECORD.pc, true), 0x8000_0004n);
  assertEquals(r.view.getBigUint64(at + RECORD.step, true), 2n ** 33n + 7n);
  assertEquals([r.view.getUint8(at + RECORD.privilege), r.view.getUint8(at + RECORD.hart)], [1, 5]);
  const said = [RECORD.pc, RECORD.step, RECORD.privilege, RECORD.hart];
  const rest = [RECORD.value, RECORD.addr, RECORD.data, RECORD.size, RECORD.flags, RECORD.insn, RECORD.rd, RECORD.csr];
  assertEquals(said.length + rest.length + 1, Object.keys(RECORD).length - 1);
  assertEquals(rest.map((field) => bytes[at + field]), rest.map(() => 0));
  assertEquals(bytes[at + RECORD.bytes], 0xff);
});

Deno.test("the record of the instruction that is being done stays when the others are handed over", () => {
  const { ring: r, batches } = ring();
  r.begin(RecordKind.Retired, 1n, 3, 0, 0);
  r.openAt = r.begin(RecordKind.Retired, 2n, 3, 0, 0);
  r.drain();
  assertEquals([batches, r.openAt], [[[1]], 0]);
  assertEquals(r.view.getBigUint64(r.openAt + RECORD.pc, true), 2n);
  r.drain();
  assertEquals(batches.length, 1);
  r.openAt = -1;
  r.drain();
  assertEquals(batches, [[1], [2]]);
});

Deno.test("a full ring is drained, but never between an instruction and its CSRs", () => {
  const { ring: r, batches } = ring();
  for (let pc = 0n; r.room > 0; pc++) r.begin(RecordKind.Retired, pc, 3, 0, 0);
  r.begin(RecordKind.Csr, 7777n, 3, 0, 0);
  r.begin(RecordKind.Csr, 7778n, 3, 0, 0);
  assertEquals(batches, []);
  r.begin(RecordKind.Retired, 9999n, 3, 0, 0);
  assertEquals(batches.length, 1);
  assertEquals(batches[0]!.slice(-2), [7777, 7778]);
  r.drain();
  assertEquals(batches[1], [9999]);
});

Deno.test("a record becomes one of a trap", () => {
  const { ring: r } = ring();
  const at = r.begin(RecordKind.Retired, 4n, 0, 0, 0);
  r.view.setUint8(at + RECORD.flags, 7);
  r.trapped(at, { pc: 0x100n, privilege: 3 }, 0x8007, 0x55n);
  const { view } = r;
  assertEquals([view.getUint8(at + RECORD.kind), view.getUint8(at + RECORD.flags)], [RecordKind.Trapped, 0]);
  assertEquals([view.getUint8(at + RECORD.privilege), view.getUint8(at + RECORD.rd)], [0, 3]);
  assertEquals(view.getUint16(at + RECORD.csr, true), 0x8007);
  assertEquals([view.getBigUint64(at + RECORD.addr, true), view.getBigUint64(at + RECORD.value, true)], [
    0x55n,
    0x100n,
  ]);
});
