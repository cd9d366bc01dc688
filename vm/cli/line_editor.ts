/** Lines typed on a raw terminal: echo, corrections and a history, as far as a small prompt needs them. */

/** What keys do that are not text. */
const KEY = {
  cancel: 0x03,
  end: 0x04,
  back: 0x08,
  tab: 0x09,
  feed: 0x0a,
  enter: 0x0d,
  kill: 0x15,
  escape: 0x1b,
  erase: 0x7f,
};

/** Longest line, in characters, and lines kept. */
const LINE_MAX = 200;
const HISTORY_MAX = 50;
/** Keys that are kept while nobody asks for a line. */
const AHEAD_MAX = 4096;

/** Arrow keys, as terminals send them after the escape character. */
const UP = /^\[A|^OA/;
const DOWN = /^\[B|^OB/;

/** A prompt on a raw terminal. Bytes come in by `feed`, lines go out by `read`. */
export class LineEditor {
  readonly #write: (text: string) => void;
  readonly #onCancel: () => void;
  readonly #history: string[] = [];
  /** Keys that came while nobody asked for a line, and whether the end of input did. */
  #ahead: string[] = [];
  #ended = false;
  #waiting: ((line: string | undefined) => void) | undefined;
  #prompt = "";
  #line = "";
  /** Place in the history; its length is the new line. */
  #place = 0;
  /** What follows an escape character, until it is whole. */
  #sequence: string | undefined;

  /** `onCancel` is called for Ctrl-C. */
  constructor(options: { readonly write: (text: string) => void; readonly onCancel: () => void }) {
    this.#write = options.write;
    this.#onCancel = options.onCancel;
  }

  /** Asks for a line; undefined where the user wants out (Ctrl-D, or `end`). What was typed ahead counts. */
  read(prompt: string): Promise<string | undefined> {
    if (this.#ended) {
      this.#ended = false;
      return Promise.resolve(undefined);
    }
    this.#prompt = prompt;
    this.#write(prompt);
    const line = new Promise<string | undefined>((resolve) => this.#waiting = resolve);
    this.#type(this.#ahead.splice(0));
    return line;
  }

  /** The user wants out. */
  end(): void {
    this.#line = "";
    if (this.#waiting === undefined) this.#ended = true;
    else this.#finish(undefined);
  }

  /** Takes what was typed. */
  feed(bytes: Uint8Array): void {
    this.#type([...new TextDecoder().decode(bytes)]);
  }

  /** What was typed and nobody has asked for, for whoever has the keyboard next. */
  rest(): Uint8Array<ArrayBuffer> {
    this.#ended = false;
    return new TextEncoder().encode(this.#ahead.splice(0).join(""));
  }

  #type(chars: readonly string[]): void {
    for (const char of chars) {
      if (this.#waiting !== undefined) this.#key(char);
      else if (char.codePointAt(0) === KEY.cancel) this.#onCancel();
      else if (this.#ahead.length < AHEAD_MAX) this.#ahead.push(char);
    }
  }

  #key(char: string): void {
    const code = char.codePointAt(0)!;
    if (this.#sequence !== undefined) return this.#escaped(char);
    switch (code) {
      case KEY.enter:
      case KEY.feed: {
        const line = this.#line;
        this.#line = "";
        this.#write("\n");
        if (line.trim() !== "" && this.#history.at(-1) !== line) this.#history.push(line);
        if (this.#history.length > HISTORY_MAX) this.#history.shift();
        this.#place = this.#history.length;
        return this.#finish(line);
      }
      case KEY.erase:
      case KEY.back:
        if (this.#line === "") return;
        this.#line = [...this.#line].slice(0, -1).join("");
        return this.#write("\b \b");
      case KEY.kill:
        return this.#replace("");
      case KEY.cancel:
        this.#line = "";
        this.#write(`^C\n${this.#prompt}`);
        return this.#onCancel();
      case KEY.end:
        if (this.#line === "") this.end();
        return;
      case KEY.escape:
        this.#sequence = "";
        return;
      default:
        if (code === KEY.tab) char = " ";
        else if (code < 0x20 || (code >= 0x80 && code < 0xa0) || this.#line.length >= LINE_MAX) return;
        this.#line += char;
        this.#write(char);
    }
  }

  /** The rest of an escape sequence: arrows move through the history, others do nothing. */
  #escaped(char: string): void {
    const sequence = this.#sequence! + char;
    this.#sequence = /^(\[[0-9;]*|O)$/.test(sequence) ? sequence : undefined;
    const step = UP.test(sequence) ? -1 : DOWN.test(sequence) ? 1 : 0;
    const place = this.#place + step;
    if (step === 0 || place < 0 || place > this.#history.length) return;
    this.#place = place;
    this.#replace(this.#history[place] ?? "");
  }

  #replace(line: string): void {
    this.#write("\b \b".repeat([...this.#line].length) + line);
    this.#line = line;
  }

  #finish(line: string | undefined): void {
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.(line);
  }
}
