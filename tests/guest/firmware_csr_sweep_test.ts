/**
 * What the image `csr_sweep` prints here and on QEMU, CSR by CSR. docs/CSR_SWEEP.md has a row for every difference, with its
 * reason: a difference without a row, a row without a difference, and a row without a reason fail.
 *
 * `deno test -A tests/guest/firmware_csr_sweep_test.ts -- --update` writes the rows anew and keeps the reasons.
 */
import { assert, assertEquals } from "@std/assert";
import { csrName } from "../../vm/isa/csr_names.ts";
import { expectedConsole } from "../support/boot_image.ts";
import { runTool, toolVersion, withTool } from "../support/tools.ts";

const WIDTHS = [64, 32] as const;
const document = new URL("../../docs/CSR_SWEEP.md", import.meta.url);
const images = new URL("../../images/", import.meta.url).pathname;
const update = Deno.args.includes("--update");

/** What one CSR does, as the image prints it: `found`, `zeros`, `ones` with their values, or `read-only`. */
type Answer = ReadonlyMap<string, string>;

/** A CSR or a range of them, and what differs. */
type Difference = readonly [csr: string, ours: string, qemu: string];

/** A row of the document: a difference and its reason. */
type Row = readonly [...Difference, why: string];

const image = (xlen: 32 | 64): string => xlen === 64 ? "csr_sweep" : "csr_sweep_rv32";

/** The answers in a console text, by CSR number. */
function answers(console: string): ReadonlyMap<number, Answer> {
  const all = new Map<number, Answer>();
  for (const line of console.split("\n")) {
    const match = /^(0x[0-9a-f]{3})(?:-(0x[0-9a-f]{3}))? +(.*)$/.exec(line);
    if (match === null) continue;
    const words = match[3]!.split(/ {2}/).map((text) => text.split(" "));
    const answer = new Map(words.map(([name, value]): [string, string] => [name!, value ?? ""]));
    for (let csr = Number(match[1]); csr <= Number(match[2] ?? match[1]); csr++) all.set(csr, answer);
  }
  return all;
}

/** What of `answer` is not so in `other`. */
function differing(answer: Answer | undefined, other: Answer | undefined): string {
  if (answer === undefined) return "–";
  const parts = [...answer].filter(([name, value]) => other?.get(name) !== value);
  return parts.map(([name, value]) => `${name} ${value}`.trim()).join(", ");
}

/** Every difference; neighbours that differ alike, and whose names do, are one. */
function differences(ours: ReadonlyMap<number, Answer>, qemu: ReadonlyMap<number, Answer>): Difference[] {
  const rows: { first: number; last: number; ours: string; qemu: string }[] = [];
  for (let csr = 0; csr < 4096; csr++) {
    const row = { first: csr, last: csr, ours: differing(ours.get(csr), qemu.get(csr)), qemu: "" };
    row.qemu = differing(qemu.get(csr), ours.get(csr));
    if (row.ours === row.qemu) continue;
    const before = rows.at(-1);
    const family = (n: number) => csrName(n)?.replace(/\d+/, "#");
    const joins = before !== undefined && before.last === csr - 1 && before.ours === row.ours &&
      before.qemu === row.qemu &&
      family(csr) === family(csr - 1);
    if (joins) before.last = csr;
    else rows.push(row);
  }
  return rows.map(({ first, last, ours, qemu }) => [label(first, last), ours, qemu]);
}

function label(first: number, last: number): string {
  const one = (csr: number) => `0x${csr.toString(16).padStart(3, "0")} ${csrName(csr) ?? ""}`.trim();
  return first === last ? one(first) : `${one(first)} to ${one(last)}`;
}

/** The rows below the heading of a width. */
function documented(text: string, xlen: 32 | 64): Row[] {
  const section = text.split(`\n## RV${xlen}\n`)[1]?.split("\n## ")[0] ?? "";
  return section.split("\n").filter((line) => line.startsWith("| 0x")).map((line) => {
    const [csr = "", ours = "", qemu = "", why = ""] = line.split("|").slice(1).map((cell) => cell.trim());
    return [csr, ours, qemu, why];
  });
}

async function onQemu(xlen: 32 | 64): Promise<string> {
  const args = [
    "-M",
    "virt",
    "-m",
    "128M",
    "-bios",
    "none",
    "-display",
    "none",
    "-monitor",
    "none",
    "-serial",
    "stdio",
  ];
  const run = await runTool(`qemu-system-riscv${xlen}`, [...args, "-kernel", `${images}${image(xlen)}.elf`]);
  assert(run?.ok, run?.stderr);
  return run.stdout;
}

/** The document with the rows of a width replaced; reasons are those of the CSR in the same or the other table. */
function updated(text: string, xlen: 32 | 64, rows: readonly Difference[]): string {
  const reasons = new Map(
    [...documented(text, xlen === 64 ? 32 : 64), ...documented(text, xlen)].map((r) => [r[0], r[3]]),
  );
  const lines = rows.map((row) => `| ${[row[0], row[1], row[2], reasons.get(row[0]) ?? ""].join(" | ")} |`);
  const table = ["| CSR | Ringside | QEMU | why |", "| --- | --- | --- | --- |", ...lines].join("\n");
  const [before, rest = ""] = text.split(`\n## RV${xlen}\n`);
  const after = rest.indexOf("\n## ");
  return `${before}\n## RV${xlen}\n\n${table}\n${after < 0 ? "" : rest.slice(after)}`;
}

for (const xlen of WIDTHS) {
  const command = `qemu-system-riscv${xlen}`;
  const tool = { command, version: await toolVersion(command), accepts: /version 7\.2\./ };
  Deno.test(withTool(`${image(xlen)}: every difference to QEMU is explained in docs/CSR_SWEEP.md`, tool, async () => {
    const found = differences(answers(await expectedConsole(image(xlen))), answers(await onQemu(xlen)));
    if (update) Deno.writeTextFileSync(document, updated(Deno.readTextFileSync(document), xlen, found));
    const rows = documented(Deno.readTextFileSync(document), xlen);
    assertEquals(rows.map(([csr, ours, qemu]) => [csr, ours, qemu]), found.map((row) => [row[0], row[1], row[2]]));
    assertEquals(rows.filter((row) => row[3].length < 10).map((row) => row[0]), [], "rows without a reason");
  }));
}

Deno.test("csr_sweep: the document's rows say what the image prints here", async () => {
  for (const xlen of WIDTHS) {
    const ours = answers(await expectedConsole(image(xlen)));
    const rows = documented(Deno.readTextFileSync(document), xlen);
    assert(rows.length > 20);
    for (const [csr, text] of rows) {
      const answer = ours.get(Number(csr.slice(0, 5)));
      const parts = [...answer ?? []].map(([name, value]) => `${name} ${value}`.trim());
      const said = text === "–" ? [] : text.split(", ").filter((part) => part !== "");
      assertEquals(said.filter((part) => !parts.includes(part)), [], csr);
      assertEquals(text === "–", answer === undefined, csr);
    }
  }
});
