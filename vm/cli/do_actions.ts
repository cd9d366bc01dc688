/** Does what `--at` and `--do` ask for. Loaded only if something is asked for. */
import { HostError } from "../../devices/block_backend.ts";
import type { CharPort } from "../../devices/char_port.ts";
import type { HostPort, PortHost } from "../../devices/host/ports.ts";
import { VirtioBlk } from "../../devices/virtio/blk.ts";
import { VirtioConsole } from "../../devices/virtio/console.ts";
import { VirtioMmio } from "../../devices/virtio/mmio.ts";
import type { Machine, SlotOptions } from "../machine.ts";
import type { DeviceAction } from "./actions.ts";
import { openTarget } from "./console_ports.ts";
import { oneLine, UsageError, writeStderr } from "./errors.ts";
import type { Settings, TimedAction } from "./settings.ts";

/** What actions are done with. */
export interface ActionContext {
  readonly machine: Machine;
  readonly slots: readonly (SlotOptions | undefined)[];
  readonly host: PortHost;
  /** The terminal, for port `id` of the console in `slot`. */
  readonly terminal: (slot: number, id: number) => CharPort;
}

/** The actions of a run, ready to be done. */
export class DeviceActions {
  readonly #context: ActionContext;
  readonly #ports: ReadonlyMap<DeviceAction, CharPort>;
  readonly #opened: readonly HostPort[];
  #waiting: readonly TimedAction[];

  private constructor(
    context: ActionContext,
    waiting: readonly TimedAction[],
    ports: ReadonlyMap<DeviceAction, CharPort>,
    opened: readonly HostPort[],
  ) {
    this.#context = context;
    this.#waiting = waiting;
    this.#ports = ports;
    this.#opened = opened;
  }

  /** Checks that every action fits its device, and opens the ports that will be added. */
  static async prepare({ actions, script }: Settings, context: ActionContext): Promise<DeviceActions> {
    const all = [...actions.map(({ act }) => act), ...script.flatMap((step) => step.action === "do" ? [step.act] : [])];
    const ports = new Map<DeviceAction, CharPort>();
    const opened: HostPort[] = [];
    for (const act of all) {
      check(act, context);
      if (act.action !== "add-port") continue;
      const terminal = (slot: number): CharPort => context.terminal(slot, 100 + ports.size);
      ports.set(act, await openTarget(act.port.target, act.slot, 0, { terminal, host: context.host, opened }));
    }
    return new DeviceActions(context, actions, ports, opened);
  }

  /** The machine starts, or starts again: what is still to be done is done in its time. */
  start(): void {
    for (const timed of this.#waiting) {
      this.#context.machine.clock.after(timed.timeNs, () => {
        this.#waiting = this.#waiting.filter((one) => one !== timed);
        this.perform(timed.act);
      });
    }
  }

  /** Does it now. What the device refuses is told, and the run goes on. */
  perform(act: DeviceAction): void {
    try {
      this.#perform(act);
    } catch (error) {
      if (!(error instanceof RangeError || error instanceof HostError)) throw error;
      writeStderr(`ringside: ${oneLine(`${act.written}: ${error.message}`)}\n`);
    }
  }

  /** Closes the ports that were opened. */
  close(): void {
    for (const port of this.#opened) port.close();
  }

  #perform(act: DeviceAction): void {
    const device = this.#context.slots[act.slot]?.device;
    const slot = this.#context.machine.slots[act.slot];
    if (act.action === "needs-reset") {
      if (slot instanceof VirtioMmio) slot.core.needsReset(act.written);
    } else if (act.action === "resize") (device as VirtioBlk).resize(act.sizeBytes);
    else if (act.action === "console-size") (device as VirtioConsole).resize(act.cols, act.rows);
    else if (act.action === "remove-port") (device as VirtioConsole).removePort(act.id);
    else {
      const { name, console } = act.port;
      const port = this.#ports.get(act)!;
      (device as VirtioConsole).addPort({ port, console, ...(name !== undefined && { name }) });
    }
  }
}

/** Refuses an action for a device of another kind. */
function check({ action, slot, written }: DeviceAction, { slots }: ActionContext): void {
  const device = slots[slot]?.device;
  if (device === undefined) throw new UsageError(`${written}: there is no device in slot ${slot}`);
  const kind = action === "resize" ? VirtioBlk : action === "needs-reset" ? Object : VirtioConsole;
  if (device instanceof kind) return;
  throw new UsageError(`${written}: the device in slot ${slot} is a ${device.name}`);
}
