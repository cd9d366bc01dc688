/** Boots an image of `images/` as the command line does, and keeps what its consoles said in one text. */
import type { GuestProgram } from "../../tools/guest_images.ts";
import { featureSwitches, legacyHas } from "../../devices/virtio/offered.ts";
import { readImage } from "../../vm/boot/image.ts";
import { parseChaos } from "../../vm/cli/chaos.ts";
import { DEFAULT_ISA } from "../../vm/cli/default_isa.ts";
import { ConsoleRoute } from "../../vm/cli/console_route.ts";
import { assignSlots, parseDevice } from "../../vm/cli/device_spec.ts";
import { makeSlots } from "../../vm/cli/slots.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { type EngineName, Machine, type StopReason } from "../../vm/machine.ts";

const images = new URL("../../images/", import.meta.url);

/** How to boot it. */
export interface BootOptions {
  readonly engine: EngineName;
  readonly xlen: 32 | 64;
  /** Default: I, M, A and C. */
  readonly isa?: string;
  readonly version?: 1 | 2;
  /** `--device` values beyond the default ones. */
  readonly devices?: readonly string[];
  /** What is on standard input: it goes to the console the guest wrote to last. */
  readonly input?: string;
  /** What `--chaos` says. */
  readonly chaos?: string;
  readonly memorySize?: number;
  readonly harts?: number;
  /** Steps after which a test gives up. */
  readonly steps?: number;
  /** Called before the first step: to listen, or to look at the machine afterwards. */
  readonly started?: (machine: Machine) => void;
}

/** Kinds of devices that a machine does not have by itself. */
const EXTRA: readonly string[] = ["dummy"];

/** What is left of a `--device` value on the legacy interface, which cannot offer everything. */
function withoutModern(option: string): string {
  const modern = featureSwitches.filter(({ name }) => !legacyHas(name)).map(({ name }) => `${name}=on`);
  const parts = option.split(",");
  // A size that is no power of two goes with the ring that allows it.
  if (parts.includes("packed=on")) modern.push(...parts.filter((part) => part.startsWith("queue-size=")));
  return parts.filter((part) => !modern.includes(part)).join(",");
}

/** How a program is booted for the text in `images/expected`, or as near to it as another version allows. */
export function bootOptions(
  program: GuestProgram,
  xlen: 32 | 64,
  version: 1 | 2 = program.virtioVersion ?? 2,
): Omit<BootOptions, "engine"> & { readonly devices: readonly string[] } {
  const options = program.options ?? [];
  return {
    xlen,
    ...(program.isa === "default" && { isa: DEFAULT_ISA[xlen] }),
    version,
    devices: [
      ...program.devices.filter((device) => EXTRA.includes(device)),
      ...(version === 1 ? options.map(withoutModern) : options),
    ],
    ...(program.input === undefined ? {} : { input: program.input }),
  };
}

/** What an image prints when booted so. */
export async function expectedConsole(image: string): Promise<string> {
  return await Deno.readTextFile(new URL(`expected/${image}.txt`, images));
}

/** What came of it. */
export interface BootResult {
  readonly console: string;
  readonly reason: StopReason;
  readonly code: number;
  readonly steps: number;
}

/** Boots `images/FILE`. */
export async function bootImage(file: string, options: BootOptions): Promise<BootResult> {
  const decoder = new TextDecoder("latin1");
  let console = "";
  const route = new ConsoleRoute({ output: (bytes) => void (console += decoder.decode(bytes)) });
  const version = options.version ?? 2;
  const chaos = options.chaos === undefined ? undefined : parseChaos(options.chaos);
  const slots = await makeSlots(assignSlots((options.devices ?? []).map(parseDevice), true, chaos?.reversed), {
    defaultVersion: version,
    chaos,
    seed: 0,
    port: (slot) => route.port(`virtio${slot}`),
    size: undefined,
  });
  const machine = new Machine({
    isa: parseIsa(options.isa ?? `rv${options.xlen}imac`),
    memorySize: options.memorySize ?? 128 << 20,
    harts: options.harts ?? 1,
    engine: options.engine,
    uart: route.port("uart"),
    slots: slots.options,
    emptyVersion: version,
  });
  machine.load(readImage(await Deno.readFile(new URL(file, images)), { name: file, xlen: options.xlen }));
  route.feed(new TextEncoder().encode(options.input ?? ""));
  options.started?.(machine);
  const { reason, code } = await machine.run({ steps: options.steps ?? 100_000_000 });
  return { console, reason, code, steps: machine.clock.steps };
}
