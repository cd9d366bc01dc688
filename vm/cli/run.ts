/** Runs an image: builds the machine that the settings describe, runs it to its end, and says how it ended. */
import { fileDeviceTree } from "../boot/boot.ts";
import { ImageError } from "../boot/error.ts";
import type { CharPort } from "../../devices/char_port.ts";
import { parseIsa } from "../isa/table.ts";
import { Machine, type MachineOptions, type Stop } from "../machine.ts";
import { boots, imageError, type PlannedBoot, readBoot } from "./boot_files.ts";
import { defaultIsa } from "./default_isa.ts";
import { assignSlots } from "./device_spec.ts";
import type { DeviceActions } from "./do_actions.ts";
import type { RunningCheck } from "./checking.ts";
import { fileError, oneLine, Status, writeStderr } from "./errors.ts";
import { OutputFile } from "./files.ts";
import { HostConsole, type RunControl } from "./host_console.ts";
import { ImageNames } from "./image_names.ts";
import type { OpenMonitor } from "./open_monitor.ts";
import { OPTIONS_SECTION, type Settings, VIRTIO_VERSION } from "./settings.ts";
import { statusOf, type StopCause } from "./outcome.ts";
import type { ReportContext } from "./report.ts";
import type { Session } from "./session.ts";
import { makeSlots, type Slots } from "./slots.ts";
import type { Watch } from "./stuck.ts";

/** The longest that one `setTimeout` can wait, in milliseconds. */
const TIMER_MAX_MS = 2 ** 31 - 1;

/** How long harts are followed before it is said why they are stuck, in milliseconds; and in instructions. */
const FOLLOW_MS = 30;
const FOLLOWED_STEPS = 16_384;

/** How often traces that somebody may be watching are handed over, in milliseconds. */
const TRACE_FLUSH_MS = 100;

/** Runs the image and returns the exit status. Errors of the user's are thrown before anything is written. */
export async function runMachine(given: Settings): Promise<number> {
  if (given.dumpDtb !== undefined) return dumpDeviceTree(given.dumpDtb, given);
  const planned = await readBoot(given);
  const settings = await askedFor(given, planned);
  const { boot } = planned;
  const names = settings.symbols === undefined ? ImageNames.ofBoot(boot) : ImageNames.ofFile(settings.symbols);
  const run = new Run();
  const chaos = settings.chaos === undefined ? undefined : (await import("./chaos.ts")).parseChaos(settings.chaos);
  const specs = assignSlots(settings.devices, settings.defaultDevices, chaos?.reversed);
  const host = new HostConsole(settings, specs, run);
  run.wake = () => host.pacing.wake();
  const slots = await makeSlots(specs, {
    defaultVersion: settings.virtioVersion ?? VIRTIO_VERSION,
    seed: settings.seed,
    port: (slot, id) => host.port(slot, id),
    size: host.size,
    chaos,
    host: host.portHost,
  });
  try {
    const machine = new Machine({
      ...machineBase(settings, planned),
      engine: settings.engine,
      uart: host.port("uart"),
      slots: slots.options,
      emptyVersion: settings.virtioVersion ?? VIRTIO_VERSION,
      rtcEpoch: settings.rtc === "host" ? Date.now() : settings.rtc,
      pacing: host.pacing,
    });
    machine.load(boot);
    const { flush, end, recent } = await traces(settings, machine, names);
    const check = await driverCheck(settings, machine, names);
    run.context = { machine, names, recent };
    run.check = check;
    run.openMonitor = async () => (await import("./open_monitor.ts")).openMonitor(settings, run.context!, host, end);
    const engineReport = settings.stats === true || settings.dumpRegion !== undefined
      ? (await import("./engine_report.ts")).startEngineReport(settings, machine, names)
      : undefined;
    const actions = await deviceActions(settings, machine, slots, host);
    host.start(
      machine.clock,
      (cols, rows) => slots.consoles.forEach((device) => device.resize(cols, rows)),
      (act) => actions?.perform(act),
    );
    actions?.start();
    try {
      const stop = await run.toEnd(settings, () => {
        host.restarted();
        actions?.start();
      });
      flush();
      host.close();
      if (host.failure !== undefined) fileError("standard output", "written", host.failure);
      if (check !== undefined) writeStderr(await check.end());
      if (engineReport !== undefined) writeStderr(engineReport());
      const status = await ended(stop, run, settings, host.session);
      return check?.status(status) ?? status;
    } finally {
      try {
        flush();
      } finally {
        host.close();
        actions?.close();
      }
    }
  } catch (error) {
    throw error instanceof ImageError ? imageError(error, settings) : error;
  } finally {
    await slots.flush();
    slots.close();
  }
}

/** `given`, and what a plain image asks for beside it in a section of its own; that is told. */
async function askedFor(given: Settings, { boot }: PlannedBoot): Promise<Settings> {
  const image = given.image === undefined ? undefined : boot.images[0];
  if (image?.elf?.sections.some(({ name }) => name === OPTIONS_SECTION) !== true) return given;
  const asked = (await import("./image_options.ts")).withImageOptions(given, image);
  if (asked === undefined) return given;
  writeStderr(`ringside: ${oneLine(`${image.name} asks for ${asked.words}`)}\n`);
  return asked.settings;
}

/** What `--at` and `--do` do to devices, if they are given. */
async function deviceActions(
  settings: Settings,
  machine: Machine,
  { options }: Slots,
  host: HostConsole,
): Promise<DeviceActions | undefined> {
  if (settings.actions.length === 0 && !settings.script.some((step) => step.action === "do")) return undefined;
  const { DeviceActions } = await import("./do_actions.ts");
  const terminal = (slot: number, id: number): CharPort => host.port(slot, id);
  return await DeviceActions.prepare(settings, { machine, slots: options, host: host.portHost, terminal });
}

/** What the device tree depends on. */
function machineBase(
  settings: Settings,
  { boot, xlen }: Partial<PlannedBoot>,
): Pick<MachineOptions, "isa" | "memorySize" | "harts"> {
  const isa = parseIsa(settings.isa ?? defaultIsa(xlen ?? 64, boot?.images));
  return { isa, memorySize: settings.memory, harts: settings.harts };
}

/** Writes the device tree that the guest would be handed. */
async function dumpDeviceTree(file: string, settings: Settings): Promise<Status> {
  const planned: Partial<PlannedBoot> = boots(settings) ? await readBoot(settings) : {};
  const { boot } = planned;
  const uart = { write: () => {}, read: () => new Uint8Array(0), onReadable: () => {} };
  const machine = new Machine({ ...machineBase(settings, planned), engine: "reference", uart, slots: [] });
  const tree = (boot && fileDeviceTree(boot)) ?? machine.deviceTree(boot);
  const { filesOf } = await import("./permission.ts");
  OutputFile.open(file, filesOf(settings).read, []).write(tree);
  return Status.Ok;
}

/** The machine while it runs, and who has stopped it. */
class Run implements RunControl {
  context: ReportContext | undefined;
  /** Wakes a machine that sleeps until its guest has something to do. */
  wake: () => void = () => {};
  cause: StopCause | undefined;
  check: RunningCheck | undefined;
  #watch: Watch | undefined;

  /** Ends the run; the first cause counts. */
  stop(cause: StopCause): void {
    this.cause ??= cause;
    this.#monitor?.leave();
    this.context?.machine.stop();
    this.wake();
  }

  /** Makes the monitor; set before the guest runs. */
  openMonitor: () => Promise<OpenMonitor> = () => Promise.reject(new Error("monitor: there is no machine yet"));
  #monitor: OpenMonitor | undefined;
  /** The user wants the monitor, or is in it. */
  #asked = false;

  monitor(): void {
    if (this.#asked) return this.#monitor?.leave();
    this.#asked = true;
    this.context?.machine.stop();
    this.wake();
  }

  /** The monitor has the machine until the user lets it go on; gives how the run ended, if it did. */
  async #converse(): Promise<Stop | undefined> {
    this.#monitor ??= await this.openMonitor();
    const end = this.cause === undefined ? await this.#monitor.converse() : "continue";
    this.#asked = false;
    if (this.cause === undefined && end === "quit") this.cause = "interrupted";
    if (this.cause !== undefined) return { reason: "stopped", code: 0 };
    return typeof end === "string" ? undefined : end;
  }

  async status(): Promise<readonly string[]> {
    const { context } = this;
    if (context === undefined) return [];
    const { statusLines } = await import("./report.ts");
    await this.#follow();
    // What they do is seen while they do it.
    await new Promise((resolve) => setTimeout(resolve, FOLLOW_MS));
    const lines = [...statusLines(context), ...this.stuck];
    this.#unfollow();
    return lines;
  }

  /** Runs to a limit; the last instructions before it are followed. */
  async #run(steps: number | undefined): Promise<Stop> {
    const { machine } = this.context!;
    if (steps === undefined) return await machine.run();
    if (steps > FOLLOWED_STEPS) {
      const stop = await machine.run({ steps: steps - FOLLOWED_STEPS });
      if (stop.reason !== "limit") return stop;
    }
    await this.#follow();
    return await machine.run({ steps });
  }

  /** Why nothing happens, in lines; empty where nobody has followed the harts. */
  get stuck(): string[] {
    return this.#watch?.lines() ?? [];
  }

  /** From now on, what the harts do is kept, for who asks why they are stuck. */
  async #follow(): Promise<void> {
    const { machine, names } = this.context!;
    const { watchHarts } = await import("./stuck.ts");
    this.#watch ??= watchHarts(machine, names.symbolize, this.check?.unread, () => this.check?.words);
  }
  #unfollow(): void {
    this.#watch?.end();
    this.#watch = undefined;
  }

  /** The time is over: the harts are followed for a moment, then they stop. */
  async #timeout(): Promise<void> {
    await this.#follow();
    setTimeout(() => this.stop("timeout"), FOLLOW_MS);
  }

  /** Runs until something other than a reset ends it. `restarted` is called after each reset. */
  async toEnd(settings: Settings, restarted: () => void): Promise<Stop> {
    const { machine } = this.context!;
    const { timeout, timeoutInsns } = settings;
    const timer = timeout === undefined
      ? undefined
      : setTimeout(() => this.#timeout(), Math.min(timeout / 1e6, TIMER_MAX_MS));
    try {
      for (let before = 0;;) {
        let stop = await this.#run(timeoutInsns === undefined ? undefined : timeoutInsns - before);
        if (this.#asked && stop.reason === "stopped") {
          const end = await this.#converse();
          if (end === undefined) continue;
          stop = end;
        }
        if (stop.reason === "stall") await this.#follow();
        if (stop.reason !== "reset" || !settings.reboot || this.cause !== undefined) return stop;
        before += machine.clock.steps;
        machine.reset();
        restarted();
      }
    } finally {
      // Deno loads its timers when they are first touched, for milliseconds.
      if (timer !== undefined) clearTimeout(timer);
      this.#monitor?.close();
    }
  }
}

/** Ends that may have come because the guest is stuck. */
const OVER: readonly Stop["reason"][] = ["stall", "limit", "stopped"];

/** Tells how the run ended, on standard error, and gives the exit status. */
async function ended(
  stop: Stop,
  { cause, context, stuck, check }: Run,
  settings: Settings,
  session: Session | undefined,
): Promise<number> {
  const own = statusOf({ ...stop, cause });
  const status = session?.status(own) ?? own;
  if (cause === "interrupted") return status;
  const lines: string[] = [];
  if (own !== Status.Ok) {
    const { reportText } = await import("./report.ts");
    // Registers would only hide what the driver checker has found, unless the guest died of something else.
    const brief = check?.told === true && stop.reason !== "died";
    const report = await reportText(stop, limitOf(stop, settings), context!, brief);
    if (report !== undefined) lines.push(check === undefined ? report : `\n${report}`);
    // At the end, where a reader looks first.
    if (stuck.length > 0 && OVER.includes(stop.reason)) lines.push(`\n${stuck.join("\n")}\n`);
  }
  lines.push(...session?.report().map((line, i) => i === 0 ? `ringside: ${line}\n` : `${line}\n`) ?? []);
  writeStderr(lines.join(""));
  return status;
}

/** The limit that ended the run, as an option. */
function limitOf({ reason }: Stop, { timeout, timeoutInsns }: Settings): string | undefined {
  if (reason === "limit") return `--timeout-insns ${timeoutInsns}`;
  return reason === "stopped" && timeout !== undefined ? `--timeout ${timeout / 1e9}` : undefined;
}

/** Starts the driver checker, if it is asked for. */
async function driverCheck(
  settings: Settings,
  machine: Machine,
  names: ImageNames,
): Promise<RunningCheck | undefined> {
  if (settings.check === undefined) return undefined;
  const { startCheck } = await import("./checking.ts");
  return startCheck(settings, settings.check, machine, names);
}

/** What runs beside the machine for the traces. */
interface RunningTraces {
  /** Hands over what they have written, and ends that it is done from time to time. */
  readonly flush: () => void;
  /** Traces nothing more; absent where nothing is traced. */
  readonly end?: () => void;
  readonly recent: ReportContext["recent"];
}

/** Starts the traces asked for. */
async function traces(
  settings: Settings,
  machine: Machine,
  { symbols, symbolize }: ImageNames,
): Promise<RunningTraces> {
  const { trace, traceDevices, timeline } = settings;
  if (trace === undefined && traceDevices === undefined && timeline === undefined) {
    return { flush: () => {}, recent: undefined };
  }
  const { startTracing } = await import("./tracing.ts");
  const tracing = startTracing(settings, {
    events: machine.events,
    isa: machine.isa,
    harts: machine.harts.length,
    symbolize,
    range: (name) => symbols.rangeOf(name),
    colour: Deno.stderr.isTerminal(),
  });
  let failure: unknown;
  const timer = setInterval(() => {
    try {
      tracing.flush();
    } catch (error) {
      // Told when the run has ended, which is now.
      failure = error;
      clearInterval(timer);
      machine.stop();
    }
  }, TRACE_FLUSH_MS);
  const flush = (): void => {
    clearInterval(timer);
    if (failure !== undefined) throw failure;
    tracing.finish();
  };
  return { flush, end: tracing.end, recent: tracing.recent };
}
