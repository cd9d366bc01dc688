/** Figures as a person reads them, and as a program does. */

/** What one section found. */
export interface Section {
  readonly name: string;
  readonly title: string;
  /** Conditions and reasons, a sentence each. */
  readonly notes: readonly string[];
  readonly columns: readonly string[];
  /** As many cells as there are columns; the first names the row. */
  readonly rows: readonly (readonly string[])[];
  /** The same and more as numbers, in the units that their names tell. */
  readonly figures: Readonly<Record<string, number>>;
}

/** The section as text: title, table, notes. */
export function sectionText({ title, notes, columns, rows }: Section): string {
  const table = rows.length === 0 ? [] : [columns, ...rows];
  const widths = columns.map((_, i) => Math.max(...table.map((row) => row[i]!.length)));
  const lines = table.map((row) =>
    row.map((cell, i) => i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)).join("  ").trimEnd()
  );
  return [title, ...lines.map((line) => `  ${line}`), ...notes.map((note) => `  ${note}`), ""].join("\n");
}

/** A number with as many digits as mean something: three, and none after the point from 100 on. */
export function digits(value: number): string {
  const size = Math.abs(value);
  return value.toFixed(size >= 100 ? 0 : size >= 10 ? 1 : 2);
}
