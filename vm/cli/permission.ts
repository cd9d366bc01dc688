/** The command that would have worked, for a run that Deno denied a permission. */
import { bootFileNames } from "./boot_files.ts";
import type { DeviceSpec } from "./device_parameters.ts";
import type { Settings } from "./options.ts";
import { targetNeeds } from "./port_target.ts";

/** `word` as a POSIX shell needs it written. */
export function shellQuote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}

/** What a run with `settings` reads, writes and reaches. */
export function filesOf(
  settings: Settings,
): { readonly read: readonly string[]; readonly write: readonly string[]; readonly net: readonly string[] } {
  const { devices, commit } = settings;
  const added = [...settings.actions, ...settings.script.filter((step) => step.action === "do")].map(({ act }) => act);
  const ports = [
    ...devices.flatMap(({ target, ports = [] }) => [target, ...ports.map((port) => port.target)]),
    ...added.map((act) => act.action === "add-port" ? act.port.target : undefined),
  ].flatMap((target) => target === undefined ? [] : [targetNeeds(target)]);
  const overlays = [...devices, commit].map((spec) => spec?.overlay);
  const read = [
    ...bootFileNames(settings),
    settings.symbols,
    settings.checkSuppress,
    ...devices.map((spec) => spec.file),
    ...overlays,
    commit?.file,
    ...ports.flatMap((needs) => needs.read),
  ];
  const write = [
    settings.trace,
    settings.traceDevices,
    settings.timeline,
    settings.checkOutput,
    settings.dumpDtb,
    ...devices.filter(writesFile).map((spec) => spec.file),
    ...overlays,
    commit?.file,
    ...ports.flatMap((needs) => needs.write),
  ];
  const named = (files: readonly (string | undefined)[]): string[] => [
    ...new Set(files.filter((file): file is string => file !== undefined && file !== "" && file !== "-")),
  ];
  return { read: named(read), write: named(write), net: named(ports.flatMap((needs) => needs.net)) };
}

/** Whether a drive writes its own file, and not something in its place. */
function writesFile({ readOnly, overlay, snapshot }: DeviceSpec): boolean {
  return readOnly !== true && overlay === undefined && snapshot !== true;
}

/**
 * The `deno run` line with exactly the permissions the run needs, in place of the one that began with `main` (a path)
 * and `args`.
 */
export function permittedCommand(settings: Settings, main: string, args: readonly string[]): string {
  const { read, write, net } = filesOf(settings);
  // Deno splits these lists at commas: a file with a comma in its name can only be allowed with all others.
  const flag = (name: string, files: readonly string[]): string[] =>
    files.length === 0 ? [] : [files.some((file) => file.includes(",")) ? `--${name}` : `--${name}=${files.join(",")}`];
  const words = [
    "deno",
    "run",
    ...flag("allow-read", read),
    ...flag("allow-write", write),
    ...flag("allow-net", net),
    main,
    ...args,
  ];
  return words.map(shellQuote).join(" ");
}

/** The path of the program that runs, as short as it can be said from the working directory. */
export function mainPath(url: string, cwd: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  const folder = cwd.endsWith("/") ? cwd : `${cwd}/`;
  return path.startsWith(folder) ? path.slice(folder.length) : path;
}
