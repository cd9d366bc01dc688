/** What the command line says, as the rest of the program reads it. */
import { RTC_EPOCH } from "../board.ts";
import type { Profile, Severity } from "../check/rule.ts";
import type { EngineName } from "../hart/engine.ts";
import type { DeviceAction } from "./actions.ts";
import type { DeviceSpec, Place } from "./device_parameters.ts";

/** Forms of an instruction trace. */
export const traceFormats = ["text", "commit", "jsonl"] as const;
export type TraceFormat = typeof traceFormats[number];

/** Forms of the driver checker's findings. */
export const checkFormats = ["text", "json", "sarif", "junit"] as const;
export type CheckFormat = typeof checkFormats[number];

/** Consoles that standard input can be tied to. */
export const consoles = ["uart", "virtio"] as const;
export type ConsoleName = typeof consoles[number];

/** One step of a scripted session. */
export type ScriptStep =
  | { readonly action: "expect" | "send"; readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly action: "do"; readonly act: DeviceAction };

/** Something that happens to a device at a moment of virtual time. */
export interface TimedAction {
  /** Since the machine was started, in nanoseconds. */
  readonly timeNs: number;
  readonly act: DeviceAction;
}

/** What the command line says. Absent means that the machine decides (`isa` by the image, `stdin` by the guest). */
export interface Settings {
  image?: string;
  memory: number;
  harts: number;
  isa?: string;
  engine: EngineName;
  /** Firmware: a file's name, "builtin" or "none". Absent: builtin, if there is something for it to start. */
  bios?: string;
  kernel?: string;
  initrd?: string;
  /** Kernel command line. */
  append?: string;
  /** Device tree that replaces the board's own. */
  dtb?: string;
  /** Contents of the flash banks, in order. */
  readonly flash: string[];
  /** Wall clock of the guest at power-on, in milliseconds since 1970; "host" is the host's own. */
  rtc: number | "host";
  /** Write the device tree there instead of running. */
  dumpDtb?: string;
  readonly devices: DeviceSpec[];
  /** Write this drive's overlay to its file instead of running. */
  commit?: DeviceSpec;
  /** Of devices that name none; absent: 2, unless the image asks for the other. */
  virtioVersion?: 1 | 2;
  defaultDevices: boolean;
  symbols?: string;
  /** Where the instruction trace goes: a file's name, or "" for standard error. */
  trace?: string;
  traceFormat?: TraceFormat;
  /** What the instruction trace shows, as written; each must hold. */
  readonly traceFilters: string[];
  /** Where the device trace goes, likewise. */
  traceDevices?: string;
  /** Where the time line goes: a file's name. */
  timeline?: string;
  /** Check drivers, and report what this profile asks for. */
  check?: Profile;
  /** Findings of this severity and above only. */
  checkLevel?: Severity;
  /** File of findings that are known. */
  checkSuppress?: string;
  checkFormat?: CheckFormat;
  /** Where the findings go, in place of standard error. */
  checkOutput?: string;
  /** Let the exit status tell of findings of this severity and above. */
  checkFail?: Severity;
  seed: number;
  /** Make devices hostile: what `--chaos` says, as written. */
  chaos?: string;
  /** Steps after which the run ends. */
  timeoutInsns?: number;
  /** Host time after which it ends, in nanoseconds. */
  timeout?: number;
  reboot: boolean;
  /** Tell at the end what the engines did. */
  stats?: boolean;
  /** Show at the end the translated region that has this address or symbol. */
  dumpRegion?: string;
  stdin?: ConsoleName;
  readonly script: ScriptStep[];
  /** What happens to devices, by time. */
  readonly actions: TimedAction[];
  /** Something to print instead of running. */
  show?: Showing;
}

/** What can be printed in place of a run. */
export type Showing = "help" | "version" | "chaos" | { readonly devices: "kinds" | Place };

/** Version of virtio-mmio where neither the command line nor the image asks for one. */
export const VIRTIO_VERSION = 2;

/** Section of an ELF image in which it asks for options: `image_options.ts` reads it. */
export const OPTIONS_SECTION = ".ringside";

/** Settings of an empty command line. */
export function defaultSettings(): Settings {
  return {
    memory: 128 * 2 ** 20,
    harts: 1,
    engine: "auto",
    rtc: RTC_EPOCH,
    flash: [],
    devices: [],
    defaultDevices: true,
    traceFilters: [],
    seed: 0,
    reboot: true,
    script: [],
    actions: [],
  };
}
