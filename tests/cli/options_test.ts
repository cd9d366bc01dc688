import { assert, assertEquals } from "@std/assert";
import { defaultSettings, options } from "../../vm/cli/options.ts";
import { VIRTIO_VERSION } from "../../vm/cli/settings.ts";
import { virtBoard } from "../../vm/board.ts";

Deno.test("the defaults that help tells are the defaults", () => {
  let told = 0;
  for (const row of options) {
    // Some defaults are descriptions: the machine decides.
    if (row.default === undefined || row.default.includes(" ")) continue;
    const settings = defaultSettings();
    row.set(settings, row.default);
    const expected = {
      ...defaultSettings(),
      ...(row.name === "trace-format" && { traceFormat: "text" as const }),
      ...(row.name === "virtio-version" && { virtioVersion: VIRTIO_VERSION }),
      ...(row.name === "check-format" && { checkFormat: "text" as const }),
    };
    assertEquals(settings, expected, row.name);
    told++;
  }
  assert(told >= 5);
});

Deno.test("the default memory is the board's", () => {
  assertEquals(defaultSettings().memory, virtBoard.find((entry) => entry.kind === "ram")?.size);
});

Deno.test("a row that has only certain values accepts each of them, and its default is one", () => {
  for (const { name, values, set, default: standard } of options) {
    for (const value of values ?? []) set(defaultSettings(), value);
    if (values !== undefined && !standard?.includes(" ")) assert(values.includes(standard ?? ""), name);
  }
});
