/** Files of the command line: what is read before the run, and what is written during it. */
import type { ByteSink } from "../trace/sink.ts";
import { fileError, InputError, UsageError } from "./errors.ts";
import { formatSize } from "./units.ts";

/** The largest image or symbol file that is read: an ELF file may be larger than RAM, but not without end. */
export const FILE_MAX: number = 2 ** 30;

/** Bytes asked for at a time where a file does not tell its length. */
const CHUNK = 1 << 16;

/** The bytes of `file`, or of standard input for `-`. InputError if it cannot be read or is larger than `max`. */
export function readInput(file: string, max: number = FILE_MAX): Uint8Array<ArrayBuffer> {
  if (file === "-") {
    if (Deno.stdin.isTerminal()) {
      throw new UsageError("the image - is standard input, which is a terminal: pipe a file");
    }
    return readAll("standard input", Deno.stdin, () => 0, max);
  }
  try {
    using handle = Deno.openSync(file, { read: true });
    // A directory can be opened, but not read. Most images are short: how long a file is costs more than reading one.
    return readAll(file, handle, () => {
      const { isFile, size } = handle.statSync();
      return isFile ? size : 0;
    }, max);
  } catch (error) {
    return fileError(file, "read", error);
  }
}

interface Source {
  readSync(target: Uint8Array): number | null;
}

/** All of `source`, which is probably `expected()` bytes long: a file may grow, a pipe does not say. */
function readAll(file: string, source: Source, expected: () => number, max: number): Uint8Array<ArrayBuffer> {
  const refuse = (): never => {
    throw new InputError(file, `too large: at most ${formatSize(max)} are read`);
  };
  let bytes = new Uint8Array(CHUNK);
  let length = 0;
  for (;;) {
    if (length === bytes.length) {
      const whole = length === CHUNK ? expected() : 0;
      if (whole > max) refuse();
      // One more byte than there are: the end is seen without doubling.
      const larger = new Uint8Array(Math.min(Math.max(bytes.length * 2, whole + 1), max + 1));
      larger.set(bytes);
      bytes = larger;
    }
    const count = source.readSync(bytes.subarray(length));
    if (count === null) return bytes.subarray(0, length);
    length += count;
    if (length > max) refuse();
  }
}

/** Which file it is, whatever its name: the same for a link to it. */
function identity(info: Deno.FileInfo): string | undefined {
  return info.isFile && info.ino !== null ? `${info.dev}:${info.ino}` : undefined;
}

/** Empties a file; what cannot be emptied (a pipe, a terminal) has nothing in it. */
function empty(file: Deno.FsFile): void {
  try {
    file.truncateSync(0);
  } catch (error) {
    if (!/\(os error 22\)/.test(String(error))) throw error;
  }
}

/** Whether Deno lets us look at `path`. Where it does not, it is none of the files that we read: no need to ask. */
function mayRead(path: string): boolean {
  return Deno.permissions.querySync({ name: "read", path }).state === "granted";
}

/** A file that a trace is written to. */
export class OutputFile implements ByteSink {
  readonly name: string;
  readonly #file: { writeSync(bytes: Uint8Array): number };
  readonly #id: string | undefined;

  private constructor(name: string, file: { writeSync(bytes: Uint8Array): number }, id: string | undefined) {
    this.name = name;
    this.#file = file;
    this.#id = id;
  }

  /** Standard error, under its own name. */
  static stderr(): OutputFile {
    return new OutputFile("standard error", Deno.stderr, undefined);
  }

  /**
   * Opens `file` and empties it. It must be none of `inputs` (names of files that the run reads) nor one of `outputs`:
   * a trace must not overwrite the image it is a trace of.
   */
  static open(file: string, inputs: readonly string[], outputs: readonly OutputFile[]): OutputFile {
    try {
      const handle = Deno.openSync(file, { write: true, create: true });
      const info = mayRead(file) ? handle.statSync() : undefined;
      const id = info && identity(info);
      const other = inputs.find((input) => id !== undefined && identity(Deno.statSync(input)) === id) ??
        outputs.find((output) => id !== undefined && output.#id === id)?.name;
      if (other !== undefined) {
        handle.close();
        throw new UsageError(`a trace cannot be written to ${file}: it is the same file as ${other}`);
      }
      if (info?.isFile ?? true) empty(handle);
      return new OutputFile(file, handle, id);
    } catch (error) {
      return fileError(file, "written", error);
    }
  }

  /** Takes all of `bytes`; InputError if the host does not. */
  write(bytes: Uint8Array): void {
    try {
      for (let at = 0; at < bytes.length;) at += this.#file.writeSync(bytes.subarray(at));
    } catch (error) {
      fileError(this.name, "written", error);
    }
  }
}
