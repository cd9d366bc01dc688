import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { deviceKinds, parameters, type Place } from "../../vm/cli/device_parameters.ts";
import { statusTable } from "../../vm/cli/errors.ts";
import { deviceHelp, helpText, kindHelp, optionsDocument, shown, wrap } from "../../vm/cli/help.ts";
import { options, sections } from "../../vm/cli/options.ts";
import { VERSION } from "../../vm/cli/version.ts";

Deno.test("--help names every option and every exit status, on lines that fit", () => {
  const help = helpText();
  for (const { name } of options) assertStringIncludes(help, `--${name}`);
  const unwrapped = help.replaceAll(/\s+/g, " ");
  for (const { status, meaning } of statusTable) assertStringIncludes(unwrapped, ` ${status} ${meaning}`);
  assertEquals(help.split("\n").filter((line) => line.length > 100), []);
});

Deno.test("every option belongs to one section, and no two share a name", () => {
  for (const section of sections) assert(options.some((row) => row.section === section), section);
  const names = options.flatMap((row) => row.short === undefined ? [row.name] : [row.name, row.short]);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("--device help names every kind, and --device KIND,help every parameter that the kind has", () => {
  const help = deviceHelp();
  for (const { name, what } of deviceKinds) assertStringIncludes(help, `  ${name.padEnd(23)}  ${what.slice(0, 60)}`);
  for (const place of [...deviceKinds.map(({ name }) => name), "file"] as Place[]) {
    const text = kindHelp(place);
    assertEquals(shown({ devices: place }), text);
    for (const { name, only, value } of parameters()) {
      const line = `  ${name}${value === undefined ? "" : `=${value}`}`;
      assertEquals(text.includes(line), only?.includes(place) ?? true, `${place}: ${name}`);
    }
    assertEquals(text.split("\n").filter((line) => line.length > 100), []);
  }
});

Deno.test("docs/OPTIONS.md is what the table says (deno run -A tools/gen_options_doc.ts)", () => {
  assertEquals(Deno.readTextFileSync(new URL("../../docs/OPTIONS.md", import.meta.url)), optionsDocument());
});

Deno.test("--version says what runs", () => {
  assertEquals(shown("version"), `ringside ${VERSION} (deno ${Deno.version.deno}, v8 ${Deno.version.v8})\n`);
});

Deno.test("text is wrapped at spaces", () => {
  assertEquals(wrap("aa bb cc", 5), ["aa bb", "cc"]);
  assertEquals(wrap("a longer-than-the-width b", 5), ["a", "longer-than-the-width", "b"]);
});
