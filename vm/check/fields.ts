/** Texts of a report beside their names, wrapped. */

/** Columns of a report. */
export const WIDTH = 100;
/** Where texts begin that have a name beside them. */
const LEFT = 9;

/** A name and a text beside it, wrapped; `named` puts the name in a colour. */
export function field(
  name: string,
  text: string,
  left: number = LEFT,
  named: (name: string) => string = (name) => name,
): string[] {
  return wrap(text, WIDTH - left).map((part, i) => {
    const beside = i === 0 ? `  ${named(name)}${" ".repeat(Math.max(1, left - 2 - name.length))}` : " ".repeat(left);
    return `${beside}${part}`;
  });
}

/** Names and texts in two columns, the second from `left` on. */
export function fields(texts: Readonly<Record<string, string>>, left: number = LEFT): string[] {
  return Object.entries(texts).flatMap(([name, text]) => field(name, text, left));
}

/** `text` in lines of at most `width` characters; the first has `used` fewer. */
export function wrap(text: string, width: number, used = 0): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const room = lines.length === 0 ? width - used : width;
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
