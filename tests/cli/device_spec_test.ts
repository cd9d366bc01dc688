import { assertEquals, assertThrows } from "@std/assert";
import {
  assignSlots,
  deviceKinds,
  type DeviceSpec,
  parameters,
  parseDevice,
  parseDrive,
} from "../../vm/cli/device_spec.ts";
import { UsageError } from "../../vm/cli/errors.ts";

Deno.test("a device has a kind and parameters", () => {
  assertEquals(parseDevice("rng"), { kind: "rng", written: "--device rng" });
  assertEquals(parseDevice("blk,slot=3,version=1,latency=50us,strict,ro,size=64K"), {
    kind: "blk",
    written: "--device blk,slot=3,version=1,latency=50us,strict,ro,size=64K",
    slot: 3,
    version: 1,
    latencyNs: 50_000,
    strict: true,
    readOnly: true,
    size: 65536,
  });
});

Deno.test("features are switched on and off, queues have a size", () => {
  const text = "blk,packed=on,event_idx=off,indirect=off,in_order=on,notification_data=on,ring_reset=on,queue-size=100";
  const { switches, queueSize } = parseDevice(text);
  assertEquals(switches, {
    packed: true,
    event_idx: false,
    indirect: false,
    in_order: true,
    notification_data: true,
    ring_reset: true,
  });
  assertEquals(queueSize, 100);
  // In whatever order.
  assertEquals(parseDrive("disk.img,queue-size=3,packed=on").queueSize, 3);
  assertEquals(parseDevice("rng,queue-size=16").queueSize, 16);
});

Deno.test("a drive has a file and parameters; its name may have commas, doubled", () => {
  assertEquals(parseDrive("disk.img,ro,slot=0"), {
    kind: "blk",
    written: "--drive disk.img,ro,slot=0",
    file: "disk.img",
    readOnly: true,
    slot: 0,
  });
  assertEquals(parseDrive("a,,b=c.img").file, "a,b=c.img");
  assertEquals(parseDrive(",,x,ro").file, ",x");
});

Deno.test("what is wrong with a device is told with what there is", () => {
  const wrong: [parse: (text: string) => DeviceSpec, text: string, message: string][] = [
    [
      parseDevice,
      "block",
      `--device: unknown kind "block"; expected one of console, blk, rng, dummy; did you mean blk?`,
    ],
    [parseDevice, "entropy", "did you mean rng?"],
    [parseDevice, "consle", "did you mean console?"],
    [parseDevice, "", `unknown kind ""`],
    [parseDevice, "rng,slot=8", `--device: slot: expected a whole number from 0 to 7, got "8"`],
    [parseDevice, "rng,version=3", `--device: version: expected a whole number from 1 to 2, got "3"`],
    [parseDevice, "rng,slot", `--device: expected slot=N, got "slot"`],
    [
      parseDevice,
      "rng,slott=1",
      `unknown parameter "slott" of rng; expected slot, version, latency, strict, packed, event_idx, indirect, ` +
      `in_order, notification_data, ring_reset, queue-size; did you mean slot?`,
    ],
    [parseDevice, "rng,ro", `unknown parameter "ro" of rng`],
    [parseDevice, "rng,", `unknown parameter "" of rng`],
    [parseDevice, "rng,strict=1", `--device: strict takes no value, got "strict=1"`],
    [parseDevice, "rng,slot=1,slot=2", "--device: slot is given twice"],
    [parseDevice, "blk,size=1000", "a multiple of 512 bytes"],
    [parseDevice, "blk,latency=fast", `--device: latency: expected a time in ns`],
    [parseDevice, "rng,packed=yes", `--device: packed: expected on or off, got "yes"`],
    [parseDevice, "rng,packed", `--device: expected packed=on|off, got "packed"`],
    [parseDevice, "rng,queue-size=0", `--device: queue-size: expected a whole number from 1 to 32768, got "0"`],
    [parseDevice, "rng,queue-size=32769", "expected a whole number from 1 to 32768"],
    [
      parseDrive,
      "disk.img,queue-size=100,packed=off",
      "--drive: queue-size: 100 is not a power of two, which only packed=on allows",
    ],
    [parseDrive, "", "--drive: expected FILE"],
    [parseDrive, ",ro", "--drive: expected FILE"],
    [parseDrive, "disk.img,size=1M", `unknown parameter "size" of a drive`],
    [
      parseDrive,
      "disk.img,rw",
      `unknown parameter "rw" of a drive; expected slot, version, latency, strict, packed, event_idx, indirect, ` +
      `in_order, notification_data, ring_reset, queue-size, ro, discard; did you mean ro?`,
    ],
  ];
  for (const [parse, text, message] of wrong) assertThrows(() => parse(text), UsageError, message, text);
});

/** Slots as text: kinds and files in order, `-` for an empty one. */
function slots(devices: readonly DeviceSpec[], defaults = true): string {
  return assignSlots(devices, defaults).map((spec) => spec === undefined ? "-" : spec.file ?? spec.kind).join(" ");
}

Deno.test("slots are filled from 0 up; what is asked for replaces the default of its kind", () => {
  assertEquals(slots([]), "console blk rng - - - - -");
  assertEquals(slots([], false), "- - - - - - - -");
  assertEquals(slots([parseDrive("a"), parseDrive("b")]), "console a b rng - - - -");
  assertEquals(slots([parseDevice("dummy"), parseDrive("a")]), "console a rng dummy - - - -");
  assertEquals(slots([parseDevice("rng,slot=0")]), "rng console blk - - - - -");
  assertEquals(slots([parseDevice("rng,slot=7"), parseDrive("a,slot=0")], false), "a - - - - - - rng");
});

Deno.test("a slot is taken once, and there are eight", () => {
  assertThrows(
    () => slots([parseDevice("rng,slot=1"), parseDrive("a,slot=1")]),
    UsageError,
    "slot 1 is taken twice: by --drive a,slot=1 and by --device rng,slot=1",
  );
  const many = Array.from({ length: 7 }, (_, n) => parseDrive(`d${n}`));
  assertThrows(() => slots(many), UsageError, "9 devices, but only 8 slots: no room for default rng");
  assertEquals(slots(many, false), "d0 d1 d2 d3 d4 d5 d6 -");
});

Deno.test("the tables of kinds and parameters name each thing once", () => {
  for (const names of [deviceKinds.map((row) => row.name), parameters.map((row) => row.name)]) {
    assertEquals(new Set<string>(names).size, names.length);
  }
});
