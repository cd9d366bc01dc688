/**
 * What existing drivers do at the register file, in their own order: it must work, and be told of where it is wrong.
 * The sequences were recorded from (U-Boot 2023.01, xv6-riscv f5b93ef) or read in (Linux, rcore-os/virtio-drivers
 * 9742c44) these drivers. `R044=0` reads and expects, `W070=1` writes, `c` is a configuration byte access.
 */
import { assertEquals } from "@std/assert";
import { MemoryDisk } from "../../../devices/host/memory.ts";
import { VirtioBlk } from "../../../devices/virtio/blk.ts";
import { alignUp } from "../../../vm/bits.ts";
import { DriverQueue, TestDriver } from "../../support/virtio_driver.ts";

// Offered by the disk: 0xe54 is SEG_MAX, GEOMETRY, BLK_SIZE, FLUSH, TOPOLOGY and CONFIG_WCE; 0x30000000 is INDIRECT_DESC
// and EVENT_IDX, to which version 1 adds 0x09000000, NOTIFY_ON_EMPTY and ANY_LAYOUT.
const CAPACITY = 2048;

interface Recording {
  readonly version: 1 | 2;
  /** Up to DRIVER_OK; `DESC`, `AVAIL`, `USED` and `PFN` stand for where the test puts the queue. */
  readonly trace: string;
  readonly queueSize: number;
  /** Ids of the violations it must cause. */
  readonly violations: readonly string[];
}

const probe = (version: 1 | 2): string => `R000=74726976 R004=${version} R008=2 R00c=554d4551`;
const areas = "W080=DESC W084=0 W090=AVAIL W094=0 W0a0=USED W0a4=0 W044=1";
const bytes = `c100=0 c101=8 ${[2, 3, 4, 5, 6, 7].map((i) => `c10${i}=0`).join(" ")}`;

const RECORDINGS: Record<string, Recording> = {
  "Linux, modern": {
    version: 2,
    queueSize: 256,
    trace: `${probe(2)} W070=0 R070=0 W070=1 R070=1 W070=3 W014=1 R010=1 W014=0 R010=30000e54
      W024=1 W020=1 W024=0 W020=30000e54 R070=3 W070=b R070=b R10c=fe
      W030=0 R044=0 R034=100 W038=100 ${areas} R0fc=0 R100=800 R104=0 R0fc=0 R070=b W070=f R070=f`,
    violations: [],
  },
  "Linux, legacy": {
    version: 1,
    queueSize: 256,
    trace: `${probe(1)} W028=1000 W070=0 R070=0 W070=1 R070=1 W070=3 W014=1 R010=0 W014=0 R010=39000e54
      W024=1 W020=0 W024=0 W020=30000e54 W030=0 R040=0 R034=100 W038=100 W03c=1000 W040=PFN ${bytes} R070=3 W070=7`,
    violations: [],
  },
  "Linux, modern, unbound and bound again": {
    version: 2,
    queueSize: 256,
    trace: `W070=0 W070=1 W070=3 W024=1 W020=1 W024=0 W020=0 W070=b R070=b W030=0 W038=100 ${areas} W070=f
      W070=0 W030=0 W044=0 R044=0 R070=0 W070=1
      R070=1 W070=3 W024=1 W020=1 W024=0 W020=0 W070=b R070=b W030=0 R044=0 R034=100 W038=100 ${areas} W070=f`,
    violations: [],
  },
  "U-Boot 2023.01, modern": {
    version: 2,
    queueSize: 256,
    trace: `${
      probe(2)
    } R070=0 W070=1 W070=0 R070=0 W070=2 W014=1 R010=1 W014=0 R010=30000e54 W024=1 W020=1 W024=0 W020=0
      R070=2 W070=a R070=a W030=0 R044=0 R034=100 W038=100 ${areas} R0fc=0 R100=800 R104=0 R0fc=0 R070=a W070=e`,
    violations: ["status-order"],
  },
  "U-Boot 2023.01, legacy": {
    version: 1,
    queueSize: 256,
    trace: `${probe(1)} W028=1000 R070=0 W070=1 W070=0 R070=0 W070=2 W014=1 R010=0 W014=0 R010=39000e54
      W024=1 W020=0 W024=0 W020=0 W030=0 R040=0 R034=100 W038=100 W03c=1000 W040=PFN ${bytes} R070=2 W070=6`,
    violations: ["status-order"],
  },
  "xv6-riscv": {
    version: 2,
    queueSize: 8,
    trace: `${probe(2)} W070=0 W070=1 W070=3 R010=30000e54 W020=654 W070=b R070=b W030=0 R044=0 R034=100 W038=8
      ${areas} W070=f`,
    violations: ["feature-version-1"],
  },
  "rcore virtio-drivers, modern": {
    version: 2,
    queueSize: 16,
    trace: `R000=74726976 R008=2 R004=2 W070=0 W070=3 W014=0 R010=30000e54 W014=1 R010=1 W024=0 W020=30000200 W024=1
      W020=1 W070=b W030=0 R044=0 W030=0 R034=100 W030=0 W038=10 ${areas} R0fc=0 R100=800 R104=0 R0fc=0 W070=f`,
    violations: ["status-order"],
  },
  "rcore virtio-drivers, legacy": {
    version: 1,
    queueSize: 16,
    trace: `R000=74726976 R008=2 R004=1 W070=0 W070=3 W014=0 R010=39000e54 W014=1 R010=0 W024=0 W020=30000200 W024=1
      W020=0 W070=b W028=1000 W030=0 R040=0 W030=0 R034=100 W030=0 W038=10 W03c=1000 W040=PFN W070=f`,
    violations: ["status-order", "status-features-ok-legacy"],
  },
};

for (const [name, { version, trace, queueSize, violations }] of Object.entries(RECORDINGS)) {
  Deno.test(`register order of ${name}: every read as expected, the disk works, only its own mistakes are told`, () => {
    const content = new Uint8Array(CAPACITY * 512).fill(7);
    const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(content) }), { version });
    const desc = d.board.alloc(16384, 4096);
    const avail = desc + 16 * queueSize;
    const used = alignUp(avail + 6 + 2 * queueSize, 4096);
    const names: Record<string, number> = { DESC: desc, AVAIL: avail, USED: used, PFN: desc / 4096 };
    for (const step of trace.trim().split(/\s+/)) {
      const [, verb, offset, text] = step.match(/^([RWc])([0-9a-f]{3})=(\w+)$/)!;
      const value = names[text!] ?? parseInt(text!, 16);
      if (verb === "W") d.slot.write(parseInt(offset!, 16), 4, value);
      else assertEquals(d.slot.read(parseInt(offset!, 16), verb === "R" ? 4 : 1), value, step);
    }
    assertEquals(d.board.violations, violations);
    const queue = new DriverQueue(d, 0, queueSize, { desc, avail, used });
    const into = d.board.alloc(512);
    const status = d.board.put(Uint8Array.of(0xff));
    queue.post([
      { addr: d.board.alloc(16), length: 16 },
      { addr: into, length: 512, write: true },
      { addr: status, length: 1, write: true },
    ]);
    d.wait();
    assertEquals(queue.collect(), [{ id: 0, length: 513 }]);
    assertEquals(d.board.get(status, 1)[0], 0);
    assertEquals(d.board.get(into, 512), content.slice(0, 512));
    assertEquals(d.board.violations, violations);
  });
}

Deno.test("a driver that never takes an interrupt, as U-Boot: the line stays up and nothing stops", () => {
  const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(512) }));
  const queue = d.bringUp();
  for (let i = 0; i < 100; i++) {
    queue.post([{ addr: d.board.alloc(16), length: 16 }, { addr: d.board.alloc(513), length: 513, write: true }]);
    d.wait();
    assertEquals(queue.collect().length, 1);
  }
  assertEquals([d.board.irqLevel, d.board.irqRises], [true, 1]);
});

Deno.test("a driver that tears its queue down as rcore's does", () => {
  for (const version of [1, 2] as const) {
    const d = new TestDriver(new VirtioBlk({ backend: new MemoryDisk(512) }), { version });
    d.bringUp();
    d.write("QueueSel", 0);
    if (version === 1) { for (const name of ["QueueNum", "QueueAlign", "QueuePFN"]) d.write(name, 0); }
    else {
      d.write("QueueReady", 0);
      assertEquals(d.read("QueueReady"), 0);
      d.write("QueueNum", 0);
      d.writeAreas({ desc: 0, avail: 0, used: 0 });
    }
    d.write("Status", 0);
    assertEquals(d.board.violations, version === 1 ? ["queue-in-use", "queue-in-use"] : []);
    d.bringUp();
    assertEquals(d.read("Status"), version === 1 ? 7 : 15);
  }
});
