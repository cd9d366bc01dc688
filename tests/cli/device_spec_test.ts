import { assertEquals, assertThrows } from "@std/assert";
import { deviceKinds, type DeviceSpec, parameters, type Place } from "../../vm/cli/device_parameters.ts";
import { assignSlots, helpAskedFor, parseDevice, parseDrive } from "../../vm/cli/device_spec.ts";
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
      `--device: unknown parameter "slott" of rng; did you mean slot?`,
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
      `unknown parameter "rw" of a drive; did you mean ro?`,
    ],
    [parseDevice, "console,colour=red", `unknown parameter "colour" of console; --device console,help lists them`],
    [
      parseDevice,
      "blk,wear=1:2",
      `wear: expected three numbers, 0 to 3, 0 to 11 and 0 to 11, such as 1:2:3, got "1:2"`,
    ],
    [parseDevice, "blk,wear=1:12:0", "expected three numbers"],
    [parseDevice, "blk,block-size=1000", "expected a power of two from 512"],
    [parseDevice, "blk,num-queues=65", "expected a whole number from 1 to 64"],
    [parseDevice, "blk,serial=", "expected 1 to 20 characters of ASCII"],
    [parseDevice, "console,to=sink", `to: expected one of terminal, null, loop, file:PATH`],
    [parseDevice, "console,to=file:", `to: expected file:PATH, got "file:"`],
    [parseDevice, "console,port=a@tcp:localhost", "port: expected tcp:HOST:PORT"],
    [parseDevice, "console,port=a@tcp:localhost:70000", "port: expected tcp:HOST:PORT"],
    [parseDevice, "console,port=loop:1", "port: expected loop"],
    [parseDevice, "console,resize-order=up", "expected rows or columns"],
    [parseDevice, "rng,source=dice", "expected seed or host"],
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

Deno.test("a console has ports, a disk queues and wear", () => {
  const spec = parseDevice(
    "console,to=null,port=agent@unix:/run/a,,b,console-port=tcp-listen:[::1]:4000,port=x@tcp:localhost:0,max-ports=9",
  );
  assertEquals([spec.target, spec.maxPorts], [{ kind: "null" }, 9]);
  assertEquals(spec.ports, [
    { name: "agent", target: { kind: "unix", path: "/run/a,b" }, console: false },
    { target: { kind: "tcp-listen", hostname: "::1", port: 4000 }, console: true },
    { name: "x", target: { kind: "tcp", hostname: "localhost", port: 0 }, console: false },
  ]);
  const disk = parseDevice("blk,num-queues=4,wear=2:11:0,size-max=4K,config_wce=off,block-size=4K");
  assertEquals([disk.numQueues, disk.lifetime, disk.sizeMax, disk.blockSize], [
    4,
    { preEolInfo: 2, typA: 11, typB: 0 },
    4096,
    4096,
  ]);
  assertEquals(disk.features, { size_max: true, config_wce: false });
});

Deno.test("help is asked for by kind", () => {
  assertEquals(helpAskedFor("device", "help"), "kinds");
  assertEquals(helpAskedFor("device", "console,help"), "console");
  assertEquals(helpAskedFor("drive", "x.img,help"), "file");
  assertEquals(helpAskedFor("drive", "help"), undefined);
  assertEquals(helpAskedFor("device", "tape,help"), undefined);
});

Deno.test("the tables of kinds and parameters name each thing once", () => {
  const kinds = deviceKinds.map((row) => row.name);
  assertEquals(new Set(kinds).size, kinds.length);
  for (const place of [...kinds, "file"] as Place[]) {
    const names = parameters().filter((row) => row.only?.includes(place) ?? true).map((row) => row.name);
    assertEquals(new Set(names).size, names.length, place);
  }
});
