/** Scripted sessions: `--expect` waits for the guest to write something, `--send` types. */
import { oneLine, Status } from "./errors.ts";
import { showKeys } from "./keys.ts";
import type { DeviceAction } from "./actions.ts";
import type { ScriptStep } from "./settings.ts";

/** How much of the output is kept for the report, in bytes and in lines of it that are shown. */
const TAIL_BYTES = 4096;
const TAIL_LINES = 10;

/** What a session does to the run. */
export interface SessionOptions {
  /** Types `bytes` on the guest's console; must not reach the guest before the call has returned. */
  readonly send: (bytes: Uint8Array) => void;
  /** Does something to a device, likewise; absent: nothing. */
  readonly act?: (act: DeviceAction) => void;
  /** The script's last step was an `expect` and is met: the run is to end. */
  readonly met: () => void;
}

/**
 * Follows a script over the bytes the guest writes, on all its consoles together, in order. Each text is looked for
 * after the end of the one before it.
 */
export class Session {
  readonly #steps: readonly ScriptStep[];
  readonly #options: SessionOptions;
  #next = 0;
  /** Bytes of the awaited text that the output's end matches, and its table of borders (Knuth, Morris, Pratt). */
  #matched = 0;
  #borders: Int32Array = new Int32Array(0);
  readonly #tail = new Uint8Array(TAIL_BYTES);
  #tailLength = 0;

  constructor(steps: readonly ScriptStep[], options: SessionOptions) {
    this.#steps = steps;
    this.#options = options;
  }

  /** Begins: what the script sends first is sent. Once, before the guest runs. */
  start(): void {
    this.#advance();
  }

  /** Whether every step is done. */
  get done(): boolean {
    return this.#next >= this.#steps.length;
  }

  /** Takes what the guest wrote. */
  output(bytes: Uint8Array): void {
    this.#keep(bytes);
    for (const byte of bytes) {
      const step = this.#steps[this.#next];
      // Every other step is done as soon as it is reached.
      if (step?.action !== "expect") return;
      const text = step.bytes;
      while (this.#matched > 0 && text[this.#matched] !== byte) this.#matched = this.#borders[this.#matched - 1]!;
      if (text[this.#matched] === byte) this.#matched++;
      if (this.#matched < text.length) continue;
      this.#next++;
      this.#advance();
      if (this.done && this.#steps.at(-1)?.action === "expect") this.#options.met();
    }
  }

  /** The exit status of a run that ended with `status`: a guest that ended well too early has not met the script. */
  status(status: number): number {
    return status === Status.Ok && !this.done ? Status.Unmet : status;
  }

  /** What a script that was not met still waits for, and the last lines the guest wrote; nothing for one that was. */
  report(): string[] {
    const step = this.#steps[this.#next];
    if (step?.action !== "expect") return [];
    const expects = this.#steps.filter((one) => one.action === "expect");
    const which = expects.indexOf(step) + 1;
    const lines = new TextDecoder().decode(this.#tail.subarray(0, this.#tailLength)).split(/\r?\n/);
    if (lines.at(-1) === "") lines.pop();
    const last = lines.slice(-TAIL_LINES).map((line) => `  | ${oneLine(line)}`);
    return [
      `still waiting for "${showKeys(step.bytes)}" (--expect ${which} of ${expects.length})`,
      ...(last.length === 0 ? ["the guest has written nothing"] : ["the last lines of the guest's output:", ...last]),
    ];
  }

  /** Sends until the next text to wait for. */
  #advance(): void {
    for (let step = this.#steps[this.#next]; step !== undefined; step = this.#steps[++this.#next]) {
      if (step.action === "expect") {
        this.#matched = 0;
        this.#borders = borders(step.bytes);
        return;
      }
      if (step.action === "do") this.#options.act?.(step.act);
      else this.#options.send(step.bytes);
    }
  }

  #keep(bytes: Uint8Array): void {
    const fresh = bytes.subarray(-TAIL_BYTES);
    const kept = Math.min(this.#tailLength, TAIL_BYTES - fresh.length);
    this.#tail.copyWithin(0, this.#tailLength - kept, this.#tailLength);
    this.#tail.set(fresh, kept);
    this.#tailLength = kept + fresh.length;
  }
}

/** For every prefix of `text` the length of the longest proper prefix of it that is also its suffix. */
function borders(text: Uint8Array): Int32Array {
  const table = new Int32Array(text.length);
  for (let i = 1, length = 0; i < text.length; i++) {
    while (length > 0 && text[i] !== text[length]) length = table[length - 1]!;
    if (text[i] === text[length]) length++;
    table[i] = length;
  }
  return table;
}
