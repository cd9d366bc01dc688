import { assert, assertEquals, assertRejects } from "@std/assert";
import type { DeviceSpec } from "../../vm/cli/device_parameters.ts";
import { parseDevice, parseDrive } from "../../vm/cli/device_spec.ts";
import { InputError, UsageError } from "../../vm/cli/errors.ts";
import { makeSlots, type Slots } from "../../vm/cli/slots.ts";
import type { VirtioConsole } from "../../devices/virtio/console.ts";
import { TestPort } from "../support/char_port.ts";
import { TestDriver } from "../support/virtio_driver.ts";

/** Makes devices, with disks in a folder of their own. */
async function withSlots(
  texts: readonly string[],
  test: (make: () => Promise<Slots>, file: (name: string) => string) => Promise<void>,
): Promise<void> {
  const folder = Deno.makeTempDirSync();
  const file = (name: string): string => `${folder}/${name}`;
  Deno.writeFileSync(file("disk"), new Uint8Array(4096));
  Deno.linkSync(file("disk"), file("link"));
  const specs = texts.map((text): DeviceSpec | undefined =>
    text === "-" ? undefined : text.startsWith("@") ? parseDrive(file(text.slice(1))) : parseDevice(text)
  );
  const size = { cols: 100, rows: 40 };
  try {
    await test(() => makeSlots(specs, { defaultVersion: 2, seed: 5, port: () => new TestPort(), size }), file);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

Deno.test("every kind of device can be made, with what the command line says of it", async () => {
  await withSlots(
    ["console", "-", "@disk,version=1", "rng,latency=5us,strict", "dummy", "blk,size=64K"],
    async (make) => {
      const { options, consoles, close } = await make();
      assertEquals(options.map((slot) => slot?.device.name), ["console", undefined, "blk", "rng", "dummy", "blk"]);
      assertEquals(options.map((slot) => slot?.version), [2, undefined, 1, 2, 2, 2]);
      assertEquals([options[3]?.latencyNs, options[3]?.strict, options[0]?.latencyNs], [5000, true, undefined]);
      assertEquals(options.map((slot) => slot?.device.id), [3, undefined, 2, 4, 63, 2]);
      const config = (slot: number, offset: number) => options[slot]!.device.config.read(offset, 4);
      assertEquals([config(2, 0), config(5, 0)], [8, 128]); // capacity in sectors
      assertEquals([consoles.length, consoles[0]?.config.get("cols"), consoles[0]?.config.get("rows")], [1, 100, 40]);
      close();
    },
  );
});

Deno.test("what is switched is what a device offers, and version 1 refuses what it has no bit for", async () => {
  const kinds = ["console", "blk", "rng", "dummy"];
  await withSlots(kinds.map((kind) => `${kind},packed=on,event_idx=off,queue-size=100`), async (make) => {
    const { options } = await make();
    for (const slot of options) {
      const d = new TestDriver(slot!.device, { switches: slot!.switches! });
      assertEquals(d.offered().filter((bit) => bit >= 28 && bit < 50), [28, 32, 34]);
      d.negotiate([34]);
      d.write("QueueSel", 0);
      assertEquals(d.read("QueueNumMax"), 100, slot!.device.name);
    }
  });
  await withSlots(["rng,version=1,in_order=on"], async (make) => {
    const message =
      "--device rng,version=1,in_order=on: in_order=on needs version 2: version 1 has no VIRTIO_F_IN_ORDER";
    await assertRejects(make, UsageError, message);
  });
  await withSlots(["rng,version=1,indirect=off,packed=off"], async (make) => {
    const d = new TestDriver((await make()).options[0]!.device, { version: 1, switches: { indirect: false } });
    assertEquals(d.offered(), [24, 27, 29]);
  });
});

Deno.test("a file can be two disks only if neither writes it", async () => {
  await withSlots(["@disk", "@link"], async (make) => {
    await assertRejects(make, UsageError, "are the same file: only drives that do not write it may share it");
  });
  await withSlots(["@disk,ro", "@link,ro"], async (make) => (await make()).close());
  await withSlots(["@disk,ro", "@link"], async (make) => void await assertRejects(make, UsageError));
});

Deno.test("opening a disk changes nothing in it", async () => {
  await withSlots(["@disk"], async (make, file) => {
    const { mtime, size } = Deno.statSync(file("disk"));
    (await make()).close();
    assertEquals(Deno.statSync(file("disk")).size, size);
    assertEquals(Deno.statSync(file("disk")).mtime, mtime);
  });
  await withSlots(["@none"], async (make, file) => {
    await assertRejects(make, InputError, "none: cannot be opened for reading and writing");
    assert(![...Deno.readDirSync(file(""))].some(({ name }) => name === "none"));
  });
});

/** Bytes that an entropy device gives its driver first. */
function entropy(slots: Slots, slot: number): string {
  const d = new TestDriver(slots.options[slot]!.device);
  const queue = d.bringUp();
  const addr = d.board.alloc(16);
  queue.post([{ addr, length: 16, write: true }]);
  d.wait();
  queue.collect();
  return d.board.get(addr, 16).join();
}

Deno.test("entropy is the same in every run, unless it is the host's", async () => {
  await withSlots(["rng", "rng,source=host"], async (make) => {
    const [first, second] = [await make(), await make()];
    assertEquals(entropy(first, 0), entropy(second, 0));
    assert(entropy(first, 1) !== entropy(second, 1));
  });
});

Deno.test("a console's ports go where they are to; what cannot be opened is told, and the rest is closed", async () => {
  await withSlots(["console,to=loop,port=log@file:/dev/null,console-port=terminal,max-ports=8"], async (make) => {
    const { options, consoles, close } = await make();
    const device = options[0]!.device as VirtioConsole;
    new TestDriver(device);
    assertEquals([device.portIds, device.config.get("max_nr_ports"), consoles.length], [[0, 1, 2], 8, 0]);
    close();
  });
  const missing = "--device console,port=file:/no/such/folder/file";
  await withSlots([missing.slice(9)], async (make) => {
    await assertRejects(make, InputError, "/no/such/folder/file: cannot be opened: no such file");
  });
  await withSlots(["console,multiport=off,port=loop"], async (make) => {
    await assertRejects(make, UsageError, "console,multiport=off,port=loop: more than one port needs multiport");
  });
  await withSlots(["blk,flush=off,config_wce=on"], async (make) => {
    await assertRejects(make, UsageError, "config_wce needs flush");
  });
  await withSlots(["@disk,overlay=/no/such/folder/overlay"], async (make) => {
    await assertRejects(make, InputError, "/no/such/folder/overlay: cannot be opened for reading and writing");
  });
});

Deno.test("a drive with a snapshot is written in memory only", async () => {
  await withSlots(["@disk,snapshot"], async (make, file) => {
    const before = Deno.readFileSync(file("disk"));
    const slots = await make();
    const d = new TestDriver(slots.options[0]!.device);
    const queue = d.bringUp();
    const header = new Uint8Array(16);
    header[0] = 1; // OUT, to sector 0
    const status = d.board.put(Uint8Array.of(0xff));
    queue.post([
      { addr: d.board.put(header), length: 16 },
      { addr: d.board.put(new Uint8Array(512).fill(9)), length: 512 },
      { addr: status, length: 1, write: true },
    ]);
    d.wait();
    assertEquals(d.board.memory.read(status, 1), 0);
    slots.close();
    assertEquals(Deno.readFileSync(file("disk")), before);
  });
});
