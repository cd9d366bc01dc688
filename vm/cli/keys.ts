/** Keys and texts: the escapes that `--send` and `--expect` understand, and what Ctrl-A does on a terminal. */

const ESCAPES: Readonly<Record<string, number>> = {
  "n": 0x0a,
  "r": 0x0d,
  "t": 0x09,
  "b": 0x08,
  "e": 0x1b,
  "0": 0x00,
  "\\": 0x5c,
};

/** The escapes, in words, for help and messages. */
export const escapeHelp = "\\n \\r \\t \\b \\e \\0 \\\\ \\xHH";

/** `text` as UTF-8, its escapes replaced: `parseKeys("a\\n")` is the bytes 0x61 0x0a. RangeError for another escape. */
export function parseKeys(text: string): Uint8Array<ArrayBuffer> {
  const bytes: number[] = [];
  const encoder = new TextEncoder();
  for (const part of text.match(/\\x[0-9a-fA-F]{2}|\\[^]|[^\\]+|\\$/g) ?? []) {
    if (!part.startsWith("\\")) {
      for (const byte of encoder.encode(part)) bytes.push(byte);
      continue;
    }
    const value = part.length === 4 ? parseInt(part.slice(2), 16) : ESCAPES[part.slice(1)];
    if (value === undefined) throw new RangeError(`text in which a backslash begins one of ${escapeHelp}`);
    bytes.push(value);
  }
  return Uint8Array.from(bytes);
}

/** `bytes` as text for a message: what does not print is escaped as `parseKeys` reads it. */
export function showKeys(bytes: Uint8Array): string {
  const names = Object.fromEntries(Object.entries(ESCAPES).map(([name, value]) => [value, `\\${name}`]));
  return [...new TextDecoder().decode(bytes)].map((char) => {
    const code = char.codePointAt(0)!;
    return names[code] ?? (code < 0x20 || code === 0x7f ? `\\x${code.toString(16).padStart(2, "0")}` : char);
  }).join("");
}

/** What a key after Ctrl-A does while the guest has the terminal. */
export interface TerminalKey {
  readonly keys: string;
  /** The key's code after Ctrl-A. */
  readonly code: number;
  readonly action: "quit" | "monitor" | "status" | "help" | "literal";
  readonly what: string;
}

/** Every such key. Everything else, Ctrl-C too, goes to the guest. */
export const terminalKeys: readonly TerminalKey[] = [
  { keys: "Ctrl-A x", code: 0x78, action: "quit", what: "quit" },
  {
    keys: "Ctrl-A c",
    code: 0x63,
    action: "monitor",
    what: "monitor: look at registers, devices, memory; step; and back to the guest",
  },
  { keys: "Ctrl-A w", code: 0x77, action: "status", what: "tell where the guest is and what it waits for" },
  { keys: "Ctrl-A h", code: 0x68, action: "help", what: "list these keys" },
  { keys: "Ctrl-A Ctrl-A", code: 0x01, action: "literal", what: "send Ctrl-A to the guest" },
];
