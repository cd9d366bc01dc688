import { assertEquals } from "@std/assert";
import { didYouMean, nearest } from "../../vm/cli/nearest.ts";

const NAMES = [
  "memory",
  "harts",
  "trace",
  "trace-format",
  "trace-devices",
  "timeout",
  "timeout-insns",
  "drive",
  "device",
];

Deno.test("the nearest name is what was most likely meant", () => {
  const meant: [typed: string, name: string | undefined][] = [
    ["memroy", "memory"], // swapped neighbours
    ["mem", "memory"], // its beginning
    ["hart", "harts"],
    ["Trace", "trace"],
    ["trace-fromat", "trace-format"],
    ["devices", "device"],
    ["timeout-insn", "timeout-insns"],
    ["kernel", undefined], // nothing like it
    ["x", undefined],
    ["", undefined],
  ];
  for (const [typed, name] of meant) assertEquals(nearest(typed, NAMES), name, typed);
});

Deno.test("a name of absurd length costs little and means nothing", () => {
  assertEquals(nearest("m".repeat(100_000), NAMES), undefined);
});

Deno.test("a hint says the name as it is typed, or nothing", () => {
  assertEquals(didYouMean("hart", NAMES, (name) => `--${name}`), "; did you mean --harts?");
  assertEquals(didYouMean("kernel", NAMES), "");
});
