import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import plugin, { type Room, roomOf, ROOMS } from "../../tools/lint_rooms.ts";

const TOP = decodeURIComponent(new URL("../../", import.meta.url).pathname);

/** What the plugin says about `source` standing in the file `path`: "rule: message", in order. */
function lint(path: string, source: string): string[] {
  return Deno.lint.runPlugin(plugin, `${TOP}${path}`, source)
    .map((found) => `${found.id.replace("rooms/", "")}: ${found.message}`);
}

/** Checks a table of [file, source, what is said]; nothing said means the source is allowed there. */
function check(rows: readonly (readonly [path: string, source: string, ...said: string[]])[]): void {
  for (const [path, source, ...said] of rows) assertEquals(lint(path, source), said, `${path}: ${source}`);
}

Deno.test("every file belongs to the first room that lists it", () => {
  const rooms: Record<string, string | undefined> = {
    "vm/main.ts": "vm/main.ts",
    "vm/cli/options.ts": "vm/cli",
    "vm/machine.ts": "vm/machine",
    "vm/machine/run.ts": "vm/machine",
    "vm/machinery.ts": undefined,
    "vm/hart/layout.ts": "vm/hart/layout.ts",
    "vm/hart/csr.ts": "vm/hart",
    "vm/isa/rv_m.ts": "vm/isa",
    "vm/bus/register.ts": "registers",
    "vm/bus/clock.ts": "vm/bus",
    "devices/plic.ts": "devices",
    "devices/plic_registers.ts": "registers",
    "devices/registers.ts": "registers",
    "devices/virtio/registers.ts": "registers",
    "devices/virtio/features.ts": "registers",
    "devices/virtio/blk.ts": "devices",
    "devices/host/file.ts": "devices/host",
    "tools/std/fs/walk.ts": "tools/std",
    "tools/lint_rooms.ts": "tools",
    "tests/vm/bits_test.ts": "tests",
    "web/page.ts": "web",
    "main.ts": undefined,
  };
  for (const [path, name] of Object.entries(rooms)) assertEquals(roomOf(path)?.name, name, path);
});

Deno.test("the table names only rooms it has, each once", () => {
  const names = ROOMS.map((room) => room.name);
  assertEquals(new Set(names).size, names.length);
  for (const room of ROOMS) {
    assertEquals(room.imports.filter((name) => !names.includes(name)), [], room.name);
    assertEquals(room.imports.includes(room.name), false, `${room.name} need not name itself`);
  }
});

Deno.test("no two rooms of the product import each other, directly or round about", () => {
  const reach = (room: Room, seen: Set<string>): Set<string> => {
    for (const name of room.imports) {
      if (seen.has(name)) continue;
      seen.add(name);
      const next = ROOMS.find((other) => other.name === name);
      assert(next !== undefined);
      reach(next, seen);
    }
    return seen;
  };
  for (const room of ROOMS) assertEquals(reach(room, new Set()).has(room.name), false, room.name);
});

Deno.test("arrows: a room imports what its row names, and itself", () => {
  check([
    ["vm/main.ts", `import { run } from "./cli/run.ts";`],
    [
      "vm/cli/run.ts",
      `import { Machine } from "../machine.ts"; import { openFile } from "../../devices/host/file.ts";`,
    ],
    ["vm/machine.ts", `import { Uart } from "../devices/uart.ts"; import { Hart } from "./hart/hart.ts";`],
    ["vm/translate/emit.ts", `import { rows } from "../isa/table.ts"; import { HART } from "../hart/layout.ts";`],
    ["vm/hart/csr.ts", `import { HART } from "./layout.ts"; import type { Row } from "../isa/row.ts";`],
    ["vm/isa/rv_m.ts", `import { hex } from "../bits.ts"; import { row } from "./row.ts";`],
    ["vm/boot/fdt.ts", `import { BOARD } from "../board.ts";`],
    ["vm/trace/text.ts", `import { MMIO } from "../../devices/virtio/registers.ts";`],
    ["vm/check/queue.ts", `import { FEATURES } from "../../devices/virtio/features.ts";`],
    ["vm/debug/gdb.ts", `import { HART } from "../hart/layout.ts"; import { disassemble } from "../isa/disasm.ts";`],
    ["devices/uart.ts", `import type { Device } from "../vm/bus/device.ts"; import { Facts } from "../vm/events.ts";`],
    ["devices/host/file.ts", `import type { Backend } from "../virtio/blk.ts";`],
    ["tests/vm/isa/rv_m_test.ts", `import { rows } from "../../../vm/isa/rv_m.ts";`],
    ["tools/build_guest.ts", `import { MMIO } from "../devices/virtio/registers.ts";`],
  ]);
});

Deno.test("arrows: every other import between rooms is reported", () => {
  check([
    ["vm/isa/rv_m.ts", `import { HART } from "../hart/layout.ts";`, "arrows: vm/isa may not import vm/hart/layout.ts"],
    ["vm/isa/rv_m.ts", `import { Uart } from "../../devices/uart.ts";`, "arrows: vm/isa may not import devices"],
    ["vm/bits.ts", `import { facts } from "./events.ts";`, "arrows: vm/bits.ts may not import vm/events.ts"],
    ["vm/bus/bus.ts", `import { BOARD } from "../board.ts";`, "arrows: vm/bus may not import vm/board.ts"],
    ["vm/board.ts", `import { Bus } from "./bus/bus.ts";`, "arrows: vm/board.ts may not import vm/bus"],
    ["vm/hart/hart.ts", `import { emit } from "../translate/emit.ts";`, "arrows: vm/hart may not import vm/translate"],
    ["vm/hart/layout.ts", `import { csrs } from "./csr.ts";`, "arrows: vm/hart/layout.ts may not import vm/hart"],
    ["vm/translate/emit.ts", `import "../machine.ts";`, "arrows: vm/translate may not import vm/machine"],
    ["vm/boot/elf.ts", `import { Hart } from "../hart/hart.ts";`, "arrows: vm/boot may not import vm/hart"],
    ["vm/trace/text.ts", `import { csrs } from "../hart/csr.ts";`, "arrows: vm/trace may not import vm/hart"],
    [
      "vm/check/mmio.ts",
      `import { Blk } from "../../devices/virtio/blk.ts";`,
      "arrows: vm/check may not import devices",
    ],
    ["vm/debug/gdb.ts", `import { Machine } from "../machine.ts";`, "arrows: vm/debug may not import vm/machine"],
    ["vm/machine.ts", `import { run } from "./cli/run.ts";`, "arrows: vm/machine may not import vm/cli"],
    ["vm/main.ts", `import { Machine } from "./machine.ts";`, "arrows: vm/main.ts may not import vm/machine"],
    ["devices/plic.ts", `import { BOARD } from "../vm/board.ts";`, "arrows: devices may not import vm/board.ts"],
    ["devices/plic.ts", `import { Hart } from "../vm/hart/hart.ts";`, "arrows: devices may not import vm/hart"],
    ["devices/plic.ts", `import { rows } from "../vm/isa/table.ts";`, "arrows: devices may not import vm/isa"],
    ["devices/plic.ts", `import { Machine } from "../vm/machine.ts";`, "arrows: devices may not import vm/machine"],
    ["devices/virtio/blk.ts", `import "../host/file.ts";`, "arrows: devices may not import devices/host"],
    ["devices/host/file.ts", `import "../../vm/machine.ts";`, "arrows: devices/host may not import vm/machine"],
    ["web/page.ts", `import "../vm/cli/run.ts";`, "arrows: web may not import vm/cli"],
    ["vm/machine.ts", `import "../tests/support/driver.ts";`, "arrows: vm/machine may not import tests"],
    ["vm/machine.ts", `import "../tools/build_guest.ts";`, "arrows: vm/machine may not import tools"],
    ["vm/cli/run.ts", `import "../../elsewhere.ts";`, "arrows: vm/cli may not import elsewhere.ts"],
  ]);
});

Deno.test("arrows: types, re-exports and dynamic imports are imports", () => {
  const said = "arrows: vm/isa may not import vm/hart";
  check([
    ["vm/isa/row.ts", `import type { Csr } from "../hart/csr.ts";`, said],
    ["vm/isa/row.ts", `export * from "../hart/csr.ts";`, said],
    ["vm/isa/row.ts", `export { csrs } from "../hart/csr.ts";`, said],
    ["vm/isa/row.ts", `const m = await import("../hart/csr.ts");`, said],
    ["vm/isa/row.ts", "const m = await import(`../hart/csr.ts`);", said],
    ["vm/isa/row.ts", `type Csr = import("../hart/csr.ts").Csr;`, said],
    ["vm/isa/row.ts", `export const a = 1;`],
    ["vm/isa/row.ts", `await import(name);`, "arrows: vm/isa imports a module whose name is computed"],
    ["tests/images_test.ts", `await import(name);`],
  ]);
});

Deno.test("arrows: a file in no room is reported, one outside the project is not", () => {
  check([["vm/oddments.ts", `export {};`, "arrows: vm/oddments.ts is in no room"]]);
  assertEquals(Deno.lint.runPlugin(plugin, "/elsewhere/vm/oddments.ts", `import "../x.ts"; Deno.args;`), []);
});

Deno.test("arrows: the hint says what the room does import", () => {
  const [found] = Deno.lint.runPlugin(plugin, `${TOP}vm/events.ts`, `import "./bus/bus.ts";`);
  assertStringIncludes(found?.hint ?? "", "vm/bits.ts");
});

Deno.test("packages: assertions and property tests are for tests, node: for neither vm nor devices", () => {
  check([
    ["tests/vm/bits_test.ts", `import { assert } from "@std/assert"; import fc from "fast-check"; import "node:fs";`],
    ["tests/vm/bits_test.ts", `import { assertEquals } from "@std/assert/equals";`],
    ["vm/cli/run.ts", `import { parseArgs } from "@std/cli/parse-args"; import { exists } from "@std/fs/exists";`],
    ["vm/cli/run.ts", `import { assert } from "@std/assert";`, "packages: vm/cli may not import @std/assert"],
    ["vm/machine.ts", `import { assert } from "@std/assert";`, "packages: vm/machine may not import @std/assert"],
    ["devices/plic.ts", `import { assert } from "@std/assert";`, "packages: devices may not import @std/assert"],
    ["tools/build_guest.ts", `import { assert } from "@std/assert";`, "packages: tools may not import @std/assert"],
    ["vm/machine.ts", `import { parseArgs } from "@std/cli";`, "packages: vm/machine may not import @std/cli"],
    ["vm/cli/run.ts", `import "@std/climate";`, "packages: vm/cli may not import @std/climate"],
    ["vm/cli/run.ts", `import "node:fs";`, "packages: vm/cli may not import node:fs"],
    ["vm/main.ts", `await import("node:fs");`, "packages: vm/main.ts may not import node:fs"],
    ["devices/host/file.ts", `import "node:fs";`, "packages: devices/host may not import node:fs"],
    ["tools/std/cli/mod.ts", `export { parseArgs } from "npm:deno-std@1.3.1/cli/parse_args.js";`],
    ["tests/x_test.ts", `import fc from "npm:fast-check";`, "packages: tests may not import npm:fast-check"],
    ["vm/isa/row.ts", `import "../../../away.ts";`, "packages: vm/isa may not import ../../../away.ts"],
    ["vm/isa/row.ts", `import "/vm/bits.ts";`, "packages: vm/isa may not import /vm/bits.ts"],
  ]);
});

Deno.test("deno: only where the host is at hand", () => {
  for (const path of ["vm/main.ts", "vm/cli/run.ts", "devices/host/file.ts", "tests/a_test.ts", "tools/gen.ts"]) {
    check([[path, `Deno.exit(1); const f: Deno.FsFile = g;`]]);
  }
  check([
    ["vm/machine.ts", `Deno.exit(1);`, "deno: vm/machine may not use Deno"],
    ["vm/mod.ts", `export const args = Deno.args;`, "deno: vm/mod.ts may not use Deno"],
    ["devices/virtio/blk.ts", `const { readFile } = Deno;`, "deno: devices may not use Deno"],
    ["devices/virtio/blk.ts", `let file: Deno.FsFile;`, "deno: devices may not use Deno"],
    ["web/page.ts", `globalThis.Deno.exit();`, "deno: web may not use Deno"],
    ["vm/isa/row.ts", `self["Deno"].exit();`, "deno: vm/isa may not use Deno"],
    ["vm/isa/row.ts", `const x = { Deno: 1, y: a.Deno }; interface I { Deno: string } // Deno.exit()`],
  ]);
});

Deno.test("clock: a run depends on its inputs alone", () => {
  for (const path of ["vm/main.ts", "vm/cli/run.ts", "devices/host/wall_clock.ts", "tests/a_test.ts", "web/page.ts"]) {
    check([[path, `Date.now(); performance.now(); Math.random();`]]);
  }
  check([
    ["vm/machine.ts", `const t = Date.now();`, "clock: vm/machine may not use Date.now"],
    ["vm/bus/clock.ts", `const t = new Date();`, "clock: vm/bus may not use new Date()"],
    ["vm/bus/clock.ts", `const t = Date();`, "clock: vm/bus may not use Date()"],
    ["vm/isa/row.ts", `const t = performance.now();`, "clock: vm/isa may not use performance"],
    ["devices/virtio/rng.ts", `const r = Math.random();`, "clock: devices may not use Math.random"],
    ["devices/virtio/rng.ts", `const r = Math["random"]();`, "clock: devices may not use Math.random"],
    ["devices/virtio/rng.ts", `const r = globalThis.Math.random();`, "clock: devices may not use Math.random"],
    ["devices/virtio/rng.ts", `const { random } = Math;`, "clock: devices may not use Math.random"],
    ["devices/virtio/rng.ts", `crypto.getRandomValues(bytes);`, "clock: devices may not use crypto"],
    ["devices/rtc.ts", `const t = new Date(seconds * 1000).getTime(); Math.max(1, 2); const { floor } = Math;`],
    ["devices/rtc.ts", `const x = { performance: 1 }.performance; interface I { crypto: string }`],
  ]);
});

Deno.test("`deno lint` runs the plugin", async () => {
  const dir = await Deno.makeTempDir({ dir: `${TOP}tests`, prefix: "lint_" });
  try {
    await Deno.writeTextFile(`${dir}/bad.ts`, `import fc from "npm:fast-check";\nexport default fc;\n`);
    const { code, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["lint", `${dir}/bad.ts`],
      cwd: TOP,
      env: { NO_COLOR: "1" },
    }).output();
    assertEquals(code, 1);
    assertStringIncludes(
      new TextDecoder().decode(stderr),
      "error[rooms/packages]: tests may not import npm:fast-check",
    );
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
