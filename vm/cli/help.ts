/** What `--help`, `--device help` and docs/OPTIONS.md say, out of the tables. */
import { chaosKinds } from "../../devices/virtio/chaos_kinds.ts";
import { filterKeys } from "../trace/filter.ts";
import { deviceKinds, type ParameterRow, parameters, type Place } from "./device_parameters.ts";
import { statusTable } from "./errors.ts";
import { escapeHelp, terminalKeys } from "./keys.ts";
import { type OptionRow, options, sections, type Showing } from "./options.ts";
import { VERSION } from "./version.ts";

const USAGE = "deno run -A vm/main.ts [OPTIONS] IMAGE";
const EXPLAIN = "deno run vm/main.ts explain [RULE]";

const IMAGE =
  "IMAGE is a flat binary, loaded at 0x80000000, or an ELF file for RV32 or RV64; - reads it from standard " +
  "input (the guest's input is then empty). In its place --kernel, --bios or --flash say what is booted.";

const DEFAULTS =
  "Without options the machine has a console on standard input and output, a disk of 1 MiB in memory and " +
  "an entropy device.";

const VALUES = "A value follows after a space or =; an optional one, shown in [], only after =.";

const SCRIPT = [
  "--expect and --send are done in the order given, in place of standard input. TEXT and KEYS may contain " +
  `${escapeHelp}. A text is looked for after the end of the one before it, in the output of all consoles together.`,
  "A script that ends in --expect ends the run with status 0 as soon as that is met; one that ends in --send lets the " +
  "guest run to its own end. A guest that ends before the script does gives its own status if it failed, else 1; " +
  "a time-out gives 124. What was awaited is then told, with the last lines of output.",
];

const CHAOS =
  "What devices do is legal, and the same seed, options, image and input repeat it exactly; --trace-devices shows each " +
  "piece as it happens. A device keeps features and queue sizes that the command line gives it. To find which kind a " +
  "driver cannot bear, switch kinds off one by one: the others go on as they were, as long as the guest does.";

/** Columns of `--help`, and where its right-hand side begins unless a name is longer. */
const WIDTH = 100;
const LEFT = 27;

/** `text` in lines of at most `width` characters. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}

/** Two columns: names, and what they mean beside them. */
function columns(rows: readonly (readonly [name: string, text: string])[]): string[] {
  const left = Math.max(LEFT, ...rows.map(([name]) => name.length + 4));
  return rows.flatMap(([name, text]) => {
    const lines = wrap(text, WIDTH - left);
    const head = `  ${name}`.padEnd(left);
    return lines.map((line, i) => (i === 0 ? head : " ".repeat(left)) + line);
  });
}

/** An option as it is typed: `--trace[=FILE]`. */
function typed(row: OptionRow): string {
  const short = row.short === undefined ? "" : `-${row.short}, `;
  if (row.value === undefined) return `${short}--${row.name}`;
  return `${short}--${row.name}${row.optional ? `[=${row.value}]` : ` ${row.value}`}`;
}

/** An option's help with its values and its default. */
function meaning(row: OptionRow): string {
  const told = row.values?.every((value) => `${row.value} ${row.help}`.includes(value)) ?? true;
  const values = told ? "" : `: ${row.values?.join(" or ")}`;
  return `${row.help}${values}${row.default === undefined ? "" : ` (default: ${row.default})`}`;
}

/** The keys of a filter, with what they take. */
const filterRows: readonly (readonly [string, string])[] = Object.entries(filterKeys);

/** What `--help` prints. */
export function helpText(): string {
  const lines = [
    "Ringside, a RISC-V virtual machine with virtio devices",
    "",
    `Usage: ${USAGE}`,
    `       ${EXPLAIN}    (rules of --check; an image of that name: ./explain)`,
    "",
    ...wrap(IMAGE, WIDTH),
    ...wrap(DEFAULTS, WIDTH),
    ...wrap(VALUES, WIDTH),
  ];
  for (const section of sections) {
    const rows = options.filter((row) => row.section === section);
    lines.push("", `${section}:`, ...columns(rows.map((row) => [typed(row), meaning(row)])));
    if (section === "Trace") {
      lines.push("  Keys of --trace-filter:", ...columns(filterRows.map(([k, v]) => [`  ${k}`, v])));
    }
    if (section === "Scripted session") {
      lines.push(...SCRIPT.flatMap((text) => wrap(text, WIDTH - 2)).map((t) => `  ${t}`));
    }
  }
  lines.push("", "Keys on a terminal:", ...columns(terminalKeys.map(({ keys, what }) => [keys, what])));
  lines.push("", "Exit status:", ...columns(statusTable.map(({ status, meaning }) => [status, meaning])));
  return `${lines.join("\n")}\n`;
}

/** What `--device help` prints. */
export function deviceHelp(): string {
  const common = parameters().filter((row) => row.only === undefined);
  return [
    "Kinds of virtio devices, for --device KIND[,PARAMETER]…:",
    ...columns(deviceKinds.map((row) => [row.name, `${row.what}${row.byDefault ? "; there by default" : ""}`])),
    "",
    "Parameters of all of them, also of --drive FILE[,PARAMETER]…:",
    ...columns(common.map((row) => [parameter(row), row.help])),
    "",
    ...wrap("--device KIND,help and --drive FILE,help list what can be said of one kind alone.", WIDTH),
    "",
  ].join("\n");
}

/** What `--device KIND,help` and `--drive FILE,help` print. */
export function kindHelp(place: Place): string {
  const known = parameters().filter((row) => row.only?.includes(place) ?? true);
  const part = (title: string, rows: readonly ParameterRow[]): string[] =>
    rows.length === 0 ? [] : ["", title, ...columns(rows.map((row) => [parameter(row), row.help]))];
  const kind = deviceKinds.find((row) => row.name === (place === "file" ? "blk" : place))!;
  const use = place === "file"
    ? "--drive FILE[,PARAMETER]…: a disk with a file behind it"
    : `--device ${place}[,PARAMETER]…: ${kind.what}`;
  return [
    ...wrap(use, WIDTH),
    ...part("Parameters:", known.filter((row) => row.feature !== true)),
    ...part(`Features of ${kind.name} devices:`, known.filter((row) => row.feature === true && row.only !== undefined)),
    ...part(
      "Features of transport and virtqueues:",
      known.filter((row) => row.feature === true && row.only === undefined),
    ),
    "",
    ...wrap(
      "Besides, VIRTIO_F_VERSION_1 is always offered; with version=1 VIRTIO_F_NOTIFY_ON_EMPTY and VIRTIO_F_ANY_LAYOUT " +
        "are in its place, and features above bit 31 do not exist.",
      WIDTH,
    ),
    "",
  ].join("\n");
}

/** What `--chaos help` prints. */
export function chaosHelp(): string {
  return [
    "Kinds of chaos, for --chaos seed=N[,KIND=on|off]…:",
    ...columns(chaosRows),
    "",
    ...wrap(CHAOS, WIDTH),
    "",
  ].join("\n");
}

const chaosRows = chaosKinds.map((row) => [row.name, `${row.what} (${row.spec})`] as const);

function parameter(row: ParameterRow): string {
  return row.value === undefined ? row.name : `${row.name}=${row.value}`;
}

function where(row: ParameterRow): string {
  if (row.only === undefined) return "";
  return ` (only for ${row.only.map((one) => one === "file" ? "--drive" : one).join(" and ")})`;
}

/** docs/OPTIONS.md. */
export function optionsDocument(): string {
  const table = (head: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] => {
    const cells = rows.map(([name, text]) =>
      [`\`${name.replaceAll("|", "\\|")}\``, text.replaceAll("|", "\\|")] as const
    );
    const [left, right] = [0, 1].map((i) => Math.max(head[i]!.length, ...cells.map((row) => [...row[i]!].length)));
    const line = (a: string, b: string): string => `| ${a.padEnd(left!)} | ${b.padEnd(right!)} |`;
    return [line(...head), `| ${"-".repeat(left!)} | ${"-".repeat(right!)} |`, ...cells.map(([a, b]) => line(a, b))];
  };
  const lines = [
    "# Options",
    "",
    "<!-- Generated from vm/cli/options.ts and its neighbours by tools/gen_options_doc.ts: edit there. -->",
    "",
    "```sh",
    USAGE,
    EXPLAIN,
    "```",
    "",
    ...[IMAGE, DEFAULTS, VALUES].flatMap((text) => [...wrap(text, 120), ""]),
  ];
  for (const section of sections) {
    const rows = options.filter((row) => row.section === section);
    lines.push(`## ${section}`, "", ...table(["option", "meaning"], rows.map((row) => [typed(row), meaning(row)])), "");
    if (section === "Scripted session") {
      const script = SCRIPT.map((text) =>
        text.replace(escapeHelp, escapeHelp.split(" ").map((e) => `\`${e}\``).join(" "))
      );
      lines.push(...script.flatMap((text) => [...wrap(text, 120), ""]));
    }
    if (section === "Trace") lines.push("Keys of `--trace-filter`:", "", ...table(["key", "value"], filterRows), "");
    if (section === "Devices") {
      const kinds = deviceKinds.map((row) =>
        [row.name, `${row.what}${row.byDefault ? "; there by default" : ""}`] as const
      );
      lines.push("Kinds for `--device`:", "", ...table(["kind", "what it is"], kinds), "");
      const params = parameters().map((row) => [parameter(row), `${row.help}${where(row)}`] as const);
      lines.push("Parameters, after commas:", "", ...table(["parameter", "meaning"], params), "");
    }
    if (section === "Run") {
      lines.push("Kinds for `--chaos`:", "", ...table(["kind", "what it is"], chaosRows), "", ...wrap(CHAOS, 120), "");
    }
  }
  lines.push(
    "## Keys on a terminal",
    "",
    ...table(["keys", "what they do"], terminalKeys.map((k) => [k.keys, k.what])),
    "",
  );
  lines.push("## Exit status", "", ...table(["status", "meaning"], statusTable.map((s) => [s.status, s.meaning])));
  return `${lines.join("\n")}\n`;
}

/** What is printed in place of a run. */
export function shown(what: Showing): string {
  if (typeof what === "object") return what.devices === "kinds" ? deviceHelp() : kindHelp(what.devices);
  if (what === "version") return `ringside ${VERSION} (deno ${Deno.version.deno}, v8 ${Deno.version.v8})\n`;
  return what === "chaos" ? chaosHelp() : helpText();
}
