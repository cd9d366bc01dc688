/**
 * The command line's options as one table: parser, `--help`, did-you-mean and docs/OPTIONS.md read it. A row says an
 * option's name, its value, and how it changes the {@linkcode Settings}.
 */
import { hex } from "../bits.ts";
import { boardEntry, HARTS_MAX, RAM_BASE, RAM_MAX } from "../board.ts";
import { type Profile, profiles, severities, type Severity } from "../check/rule.ts";
import { type EngineName, engineNames } from "../hart/engine.ts";
import { extensions, parseIsa, UnknownExtensionError } from "../isa/table.ts";
import { actionHelp, parseAction, parseTimedAction } from "./actions.ts";
import { helpAskedFor, parseCommit, parseDevice, parseDrive } from "./device_spec.ts";
import { UsageError } from "./errors.ts";
import { parseKeys } from "./keys.ts";
import { didYouMean } from "./nearest.ts";
import {
  type CheckFormat,
  checkFormats,
  type ConsoleName,
  consoles,
  type Settings,
  type TraceFormat,
  traceFormats,
} from "./settings.ts";
import { formatSize, parseCount, parseDate, parseInteger, parseSize, parseTime } from "./units.ts";

export { checkFormats, consoles, defaultSettings, traceFormats } from "./settings.ts";
export type { CheckFormat, ConsoleName, ScriptStep, Settings, Showing, TimedAction, TraceFormat } from "./settings.ts";

/** Headings of `--help`, in order. */
export const sections = ["Machine", "Boot", "Devices", "Trace", "Check", "Run", "Scripted session", "About"] as const;
export type Section = typeof sections[number];

/** One option. */
export interface OptionRow {
  /** Without the dashes. */
  readonly name: string;
  /** One letter for use with one dash. */
  readonly short?: string;
  readonly section: Section;
  /** Its value's name in help; with `optional` it is taken only after `=`. Absent: the option takes none. */
  readonly value?: string;
  readonly optional?: true;
  /** The only values there are. */
  readonly values?: readonly string[];
  /** May be given several times. Options of one `series` keep their order among each other. */
  readonly series?: string;
  readonly default?: string;
  readonly help: string;
  /** Applies it. A RangeError's message says what was expected. */
  readonly set: (settings: Settings, value: string) => void;
}

const FLASH_BASE = boardEntry("flash").base;
const MEMORY_MIN = 64 * 2 ** 10;

/** Every option. */
export const options: readonly OptionRow[] = [
  {
    name: "memory",
    section: "Machine",
    value: "SIZE",
    default: "128M",
    help: `RAM at ${hex(RAM_BASE)}, ${formatSize(MEMORY_MIN)} to ${formatSize(RAM_MAX)}; K, M and G are powers of 1024`,
    set: (s, text) => s.memory = parseSize(text, { min: MEMORY_MIN, max: RAM_MAX }, 4096),
  },
  {
    name: "harts",
    section: "Machine",
    value: "N",
    default: "1",
    help: `number of harts, 1 to ${HARTS_MAX}, run in turn`,
    set: (s, text) => s.harts = parseInteger(text, { min: 1, max: HARTS_MAX }),
  },
  {
    name: "isa",
    section: "Machine",
    value: "ISA",
    default: "rv64gc, or rv32gc for a 32-bit ELF, with the extensions that QEMU's virt has and the ELF was built for",
    help: "instruction set, such as rv32imac or rv64ima_zicsr",
    set: (s, text) => s.isa = isaName(text),
  },
  {
    name: "engine",
    section: "Machine",
    value: "NAME",
    values: engineNames,
    default: "auto",
    help: "how instructions are run: reference is slow and plain TypeScript, interpreter is WebAssembly, auto " +
      "also translates hot code",
    set: (s, text) => s.engine = text as EngineName,
  },
  {
    name: "rtc",
    section: "Machine",
    value: "TIME",
    default: "2026-01-01",
    help:
      "the guest's wall clock at power-on, in UTC, such as 2026-01-01T12:00:00; host is the host's, and differs from " +
      "run to run",
    set: (s, text) => s.rtc = text === "host" ? text : parseDate(text),
  },
  {
    name: "bios",
    section: "Boot",
    value: "FILE|builtin|none",
    default: "builtin, with --kernel or --flash",
    help: "firmware, loaded at " + hex(RAM_BASE) +
      " and entered in M-mode; builtin is an SBI inside the VM, which starts " +
      "the kernel in S-mode; with none the kernel, or flash, is entered in M-mode",
    set: (s, text) => s.bios = text,
  },
  {
    name: "kernel",
    section: "Boot",
    value: "FILE",
    help: "kernel to start: a Linux Image, gzip-compressed or not, an ELF file, or a flat binary",
    set: (s, text) => s.kernel = fileName(text),
  },
  {
    name: "initrd",
    section: "Boot",
    value: "FILE",
    help: "initial RAM disk for the kernel",
    set: (s, text) => s.initrd = fileName(text),
  },
  {
    name: "append",
    section: "Boot",
    value: "TEXT",
    help: "command line for the kernel",
    set: (s, text) => s.append = text,
  },
  {
    name: "dtb",
    section: "Boot",
    value: "FILE",
    help: "device tree to hand over in place of the board's own",
    set: (s, text) => s.dtb = fileName(text),
  },
  {
    name: "flash",
    section: "Boot",
    value: "FILE",
    series: "flash",
    help: "contents of a flash bank; given twice, of both. Firmware in it is started at " + hex(FLASH_BASE) +
      "; the file is not changed",
    set: (s, text) => void s.flash.push(fileName(text)),
  },
  {
    name: "dump-dtb",
    section: "Machine",
    value: "FILE",
    help: "write the device tree that the guest would be handed to FILE, and end; needs no image",
    set: (s, text) => s.dumpDtb = text,
  },
  {
    name: "drive",
    section: "Devices",
    value: "FILE[,\u2026]",
    series: "devices",
    help: "a virtio disk with a file behind it; the first one replaces the default disk. " +
      "After commas: parameters, which --drive FILE,help lists; a comma in the name is written twice",
    set: (s, text) => addDevice(s, "drive", text),
  },
  {
    name: "device",
    section: "Devices",
    value: "KIND[,\u2026]",
    series: "devices",
    help:
      "a virtio device; it replaces the default one of its kind. --device help lists the kinds, --device KIND,help " +
      "what can be said of one",
    set: (s, text) => addDevice(s, "device", text),
  },
  {
    name: "commit-overlay",
    section: "Devices",
    value: "FILE,overlay=FILE",
    help: "write what the overlay of a drive holds to the drive's file, remove the overlay, and end; needs no image",
    set: (s, text) => s.commit = parseCommit(text),
  },
  {
    name: "virtio-version",
    section: "Devices",
    value: "1|2",
    values: ["1", "2"],
    default: "2",
    help: "virtio-mmio version of devices that name none: 1 is the legacy interface, 2 the modern one",
    set: (s, text) => s.virtioVersion = Number(text) as 1 | 2,
  },
  {
    name: "no-default-devices",
    section: "Devices",
    help: "only the virtio devices that are asked for",
    set: (s) => s.defaultDevices = false,
  },
  {
    name: "stdin",
    section: "Devices",
    value: "CONSOLE",
    values: consoles,
    default: "the console the guest wrote to last",
    help: "console that standard input and --send go to",
    set: (s, text) => s.stdin = text as ConsoleName,
  },
  {
    name: "symbols",
    section: "Trace",
    value: "FILE",
    default: "the image, if it is an ELF file",
    help: "ELF file with the names of addresses, for traces and reports",
    set: (s, text) => s.symbols = text,
  },
  {
    name: "trace",
    section: "Trace",
    value: "FILE",
    optional: true,
    help: "write every instruction to FILE, or to standard error",
    set: (s, text) => s.trace = text,
  },
  {
    name: "trace-format",
    section: "Trace",
    value: "FORMAT",
    values: traceFormats,
    default: "text",
    help: "text for people, commit for comparing with Spike's --log-commits, jsonl for programs; " +
      "--trace-devices knows text and jsonl",
    set: (s, text) => s.traceFormat = text as TraceFormat,
  },
  {
    name: "trace-filter",
    section: "Trace",
    value: "KEY=VALUE[,\u2026]",
    series: "trace-filter",
    help: "trace only matching instructions; the same key again means either, another key both",
    set: (s, text) => void s.traceFilters.push(text),
  },
  {
    name: "trace-devices",
    section: "Trace",
    value: "FILE",
    optional: true,
    help: "write every device access, virtqueue step and interrupt to FILE, or to standard error",
    set: (s, text) => s.traceDevices = text,
  },
  {
    name: "timeline",
    section: "Trace",
    value: "FILE",
    help: "write the requests of every virtqueue, interrupts, traps and waits to FILE as trace events for Perfetto " +
      "(ui.perfetto.dev) or chrome://tracing; a microsecond there is a thousand instructions",
    set: (s, text) => s.timeline = text,
  },
  {
    name: "check",
    section: "Check",
    value: "PROFILE",
    optional: true,
    values: profiles,
    default: "spec, if no PROFILE is given",
    help: "compare what the guest's virtio drivers do with the VIRTIO specification, and tell at the end of the run " +
      "what they break, where, why it matters and how to mend it; qemu and firecracker leave out what works there, " +
      "legacy what drivers of virtio 0.9.5 were not asked for",
    set: (s, text) => s.check = text === "" ? "spec" : text as Profile,
  },
  {
    name: "check-level",
    section: "Check",
    value: "LEVEL",
    values: severities,
    default: "advice, which is all of them",
    help: "tell only of findings that are at least so bad",
    set: (s, text) => s.checkLevel = text as Severity,
  },
  {
    name: "check-suppress",
    section: "Check",
    value: "FILE",
    help: "leave out what FILE lists: in each line the id of a rule, or *, and the function, or none for everywhere",
    set: (s, text) => s.checkSuppress = fileName(text),
  },
  {
    name: "check-format",
    section: "Check",
    value: "FORMAT",
    values: checkFormats,
    default: "text",
    help: "text for people, json for programs, sarif for code hosts and editors, junit for CI",
    set: (s, text) => s.checkFormat = text as CheckFormat,
  },
  {
    name: "check-output",
    section: "Check",
    value: "FILE",
    default: "standard error",
    help: "write the findings to FILE",
    set: (s, text) => s.checkOutput = fileName(text),
  },
  {
    name: "check-fail",
    section: "Check",
    value: "LEVEL",
    optional: true,
    values: severities,
    default: "error, if no LEVEL is given",
    help: "end with status 97 in place of 0 where a finding is at least so bad",
    set: (s, text) => s.checkFail = text === "" ? "error" : text as Severity,
  },
  {
    name: "seed",
    section: "Run",
    value: "N",
    default: "0",
    help: "seed of everything random: the same image, options, seed and input give the same run",
    set: (s, text) => s.seed = parseInteger(text, { min: 0, max: 2 ** 32 - 1 }),
  },
  {
    name: "chaos",
    section: "Run",
    value: "seed=N[,KIND=on|off]\u2026",
    help: "make the virtio devices legal but hostile, by chance that N repeats: drivers that this breaks have bugs. " +
      "--chaos help lists kinds; all of them are on unless switched off, all=off stands for every one",
    set: (s, text) => {
      if (text === "help") s.show ??= "chaos";
      else s.chaos = text;
    },
  },
  {
    name: "at",
    section: "Run",
    value: "TIME,ACTION",
    series: "at",
    help: "do something to a device at this virtual time after the machine was started, such as 50ms,resize=1:2M: " +
      actionHelp,
    set: (s, text) => void s.actions.push(parseTimedAction(text)),
  },
  {
    name: "timeout-insns",
    section: "Run",
    value: "N",
    help: "end the run after N instructions, with a report; K, M and G are powers of 1000",
    set: (s, text) => s.timeoutInsns = parseCount(text),
  },
  {
    name: "timeout",
    section: "Run",
    value: "SECONDS",
    help: "end the run after this time, with a report; 500ms and 2m are understood too",
    set: (s, text) => s.timeout = parseTime(text, "s", 1),
  },
  {
    name: "stats",
    section: "Run",
    help: "at the end, tell what the engine did: steps, translated regions, how they ended, time",
    set: (s) => s.stats = true,
  },
  {
    name: "dump-region",
    section: "Run",
    value: "PC",
    help: "at the end, show the translated code that has the instruction at PC, an address or a symbol",
    set: (s, text) => s.dumpRegion = text,
  },
  {
    name: "no-reboot",
    section: "Run",
    help: "end the run where the guest resets the machine",
    set: (s) => s.reboot = false,
  },
  {
    name: "expect",
    section: "Scripted session",
    value: "TEXT",
    series: "script",
    help: "wait until the guest has written TEXT on a console",
    set: (s, text) => void s.script.push({ action: "expect", bytes: parseKeys(text) }),
  },
  {
    name: "send",
    section: "Scripted session",
    value: "KEYS",
    series: "script",
    help: "then type KEYS",
    set: (s, text) => void s.script.push({ action: "send", bytes: parseKeys(text) }),
  },
  {
    name: "do",
    section: "Scripted session",
    value: "ACTION",
    series: "script",
    help: `then do something to a device, as --at does by time: ${actionHelp}`,
    set: (s, text) => void s.script.push({ action: "do", act: parseAction(text) }),
  },
  { name: "help", short: "h", section: "About", help: "show this and end", set: (s) => s.show = "help" },
  { name: "version", section: "About", help: "show the version and end", set: (s) => s.show = "version" },
];

/** Adds a device, or has the help shown that is asked for in its place. */
function addDevice(settings: Settings, option: "device" | "drive", text: string): void {
  const help = helpAskedFor(option, text);
  if (help !== undefined) settings.show ??= { devices: help };
  else settings.devices.push(option === "drive" ? parseDrive(text) : parseDevice(text));
}

/** An ISA string in its canonical form; UsageError for one we do not have. */
function isaName(text: string): string {
  try {
    return parseIsa(text).name;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const hint = error instanceof UnknownExtensionError && error.extension.length > 1
      ? didYouMean(error.extension, extensions.map((one) => one.name))
      : "";
    // The whole list of what is known only where nothing is near.
    throw new UsageError(`--isa: ${hint === "" ? error.message : error.message.replace(/; known are.*/, hint)}`);
  }
}

/** A file to read; only IMAGE can be standard input. */
function fileName(text: string): string {
  if (text === "-") throw new RangeError("the name of a file, as only IMAGE can be standard input");
  return text;
}
