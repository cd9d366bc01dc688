/** Runs the command line as a user does: in a process of its own, in a folder of its own. */
import { Assembler } from "../../vm/isa/assemble.ts";
import { parseIsa } from "../../vm/isa/table.ts";

const MAIN = decodeURIComponent(new URL("../../vm/main.ts", import.meta.url).pathname);
const CONFIG = decodeURIComponent(new URL("../../deno.json", import.meta.url).pathname);

/** How a run ended, and what it said. */
export interface CommandResult {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** How to start it. */
export interface CommandOptions {
  /** Deno's permission flags; default `-A`. */
  readonly permissions?: readonly string[];
  readonly stdin?: string | Uint8Array;
  readonly env?: Readonly<Record<string, string>>;
  /** Called when it runs; its input stays open until then. */
  readonly meanwhile?: (child: Deno.ChildProcess) => void | Promise<void>;
}

/** A folder for the files of a test, and the command run inside it. */
export class CommandFolder implements Disposable {
  readonly path: string = Deno.realPathSync(Deno.makeTempDirSync());

  /** A file's whole name. */
  file(name: string): string {
    return `${this.path}/${name}`;
  }

  /** Writes a file; text, bytes, or that many zeros. */
  write(name: string, content: string | Uint8Array | number): string {
    const bytes = typeof content === "string"
      ? new TextEncoder().encode(content)
      : typeof content === "number"
      ? new Uint8Array(content)
      : content;
    Deno.writeFileSync(this.file(name), bytes);
    return name;
  }

  /** Writes a flat binary of assembly text. */
  program(name: string, text: string): string {
    return this.write(name, new Assembler(parseIsa("rv64imac")).program(text, 0x8000_0000n).bytes);
  }

  /** Names and sizes of the files there are. */
  list(): string[] {
    return [...Deno.readDirSync(this.path)].map(({ name }) => `${name}:${Deno.lstatSync(this.file(name)).size}`).sort();
  }

  /** Runs the command with `args`. */
  async run(args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
    const { permissions = ["-A"], stdin = "", env = {}, meanwhile } = options;
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--frozen", "--config", CONFIG, ...permissions, MAIN, ...args],
      cwd: this.path,
      env: { NO_COLOR: "1", ...env },
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const output = child.output();
    await meanwhile?.(child);
    const writer = child.stdin.getWriter();
    try {
      await writer.write(typeof stdin === "string" ? new TextEncoder().encode(stdin) : stdin);
      await writer.close();
    } catch (error) {
      // It ended without reading all of it.
      if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
    }
    const { code, stdout, stderr } = await output;
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { status: code, stdout: text(stdout), stderr: text(stderr) };
  }

  [Symbol.dispose](): void {
    Deno.removeSync(this.path, { recursive: true });
  }
}
