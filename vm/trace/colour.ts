/** Colours of a terminal, for traces that are looked at; files and pipes get plain text. */

/** What a piece of text is; colours are chosen by that. */
export type Paint = "quiet" | "place" | "device" | "read" | "write" | "irq" | "good" | "bad";

const CODES: Readonly<Record<Paint, string>> = {
  quiet: "2",
  place: "36",
  device: "1",
  read: "32",
  write: "33",
  irq: "35",
  good: "32",
  bad: "1;31",
};

/** Puts `text` in the colour of `paint`. */
export type Painter = (text: string, paint: Paint) => string;

/** A painter; without `colour` it leaves texts as they are. */
export function painter(colour: boolean): Painter {
  return colour ? (text, paint) => text === "" ? "" : `\x1b[${CODES[paint]}m${text}\x1b[0m` : (text) => text;
}

/** Text that came from the guest or an image, without what a terminal would obey. */
export function harmless(text: string): string {
  // deno-lint-ignore no-control-regex
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, "?");
}
