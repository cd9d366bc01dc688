/** Opens what the ports of consoles go to. */
import type { CharPort } from "../../devices/char_port.ts";
import type { HostPort, PortHost } from "../../devices/host/ports.ts";
import type { DeviceSpec } from "./device_parameters.ts";
import { fileError, InputError } from "./errors.ts";
import { type PortTarget, targetPlace } from "./port_target.ts";

/** What a port is opened with. */
export interface PortContext {
  /** The terminal, for port `id` of the console in `slot`. */
  readonly terminal: (slot: number, id: number) => CharPort;
  readonly host: PortHost;
  /** Gets what is to be closed after the run. */
  readonly opened: HostPort[];
}

/** Opens what port `id` of the console in `slot` goes to. */
export async function openTarget(
  target: PortTarget,
  slot: number,
  id: number,
  { terminal, host, opened }: PortContext,
): Promise<CharPort> {
  if (target.kind === "terminal") return terminal(slot, id);
  const { openPort } = await import("../../devices/host/open_port.ts");
  try {
    const port = await openPort(target, host);
    opened.push(port);
    return port;
  } catch (error) {
    const { name, doing } = targetPlace(target);
    // A name that nobody knows is no error of the system's.
    if (error instanceof Error && /^failed to lookup/.test(error.message)) {
      throw new InputError(name, `cannot be ${doing}: there is no such host`);
    }
    fileError(name, doing, error);
  }
}

/** By slot, the host's ends of a console's ports, port 0 first. */
export async function openPorts(
  specs: readonly (DeviceSpec | undefined)[],
  context: PortContext,
): Promise<readonly (readonly CharPort[] | undefined)[]> {
  const all: (readonly CharPort[] | undefined)[] = [];
  for (const [slot, spec] of specs.entries()) {
    if (spec?.kind !== "console") continue;
    const ports: CharPort[] = [];
    for (const target of [spec.target ?? TERMINAL, ...spec.ports?.map((port) => port.target) ?? []]) {
      ports.push(await openTarget(target, slot, ports.length, context));
    }
    all[slot] = ports;
  }
  return all;
}

const TERMINAL: PortTarget = { kind: "terminal" };
