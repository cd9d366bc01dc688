/** What can be done to devices while a machine runs, as `--at` and `--do` say it. */
import { SECTOR_SIZE } from "../../devices/block_backend.ts";
import { VIRTIO_SLOTS } from "../board.ts";
import { parsePort, type PortSpec } from "./device_parameters.ts";
import { UsageError } from "./errors.ts";
import { didYouMean } from "./nearest.ts";
import type { TimedAction } from "./settings.ts";
import { parseInteger, parseSize, parseTime } from "./units.ts";

/** Something to be done to the device in a slot. */
export type DeviceAction =
  & { readonly slot: number; readonly written: string }
  & (
    | { readonly action: "resize"; readonly sizeBytes: number }
    | { readonly action: "add-port"; readonly port: PortSpec }
    | { readonly action: "remove-port"; readonly id: number }
    | { readonly action: "console-size"; readonly cols: number; readonly rows: number }
    | { readonly action: "needs-reset" }
  );

/** What follows the slot of each action; absent: nothing does. */
const FORMS: Readonly<Record<DeviceAction["action"], string>> = {
  resize: "SIZE",
  "add-port": "[NAME@]TARGET",
  "remove-port": "PORT",
  "console-size": "COLSxROWS",
  "needs-reset": "",
};

/** The actions there are. */
export const actionHelp: string = Object.entries(FORMS)
  .map(([action, form]) => `${action}=SLOT${form === "" ? "" : `:${form}`}`).join(", ");

/** Parses an action; a RangeError says what was expected. */
export function parseAction(text: string): DeviceAction {
  const [, name = "", slotText = "", rest] = /^([^=]*)=?([^:]*)(?::(.*))?$/s.exec(text) ?? [];
  if (!Object.hasOwn(FORMS, name)) {
    const hint = didYouMean(name, Object.keys(FORMS));
    throw new UsageError(`unknown action "${text}"; ${hint === "" ? `expected one of ${actionHelp}` : hint.slice(2)}`);
  }
  const action = name as DeviceAction["action"];
  const slot = within(`${action}=SLOT`, () => parseInteger(slotText, { min: 0, max: VIRTIO_SLOTS - 1 }));
  const form = FORMS[action];
  if ((rest === undefined) !== (form === "")) {
    throw new RangeError(`${action}=SLOT${form === "" ? "" : `:${form}`}`);
  }
  const at = { slot, written: text };
  return within(action, () => {
    switch (action) {
      case "resize":
        return { ...at, action, sizeBytes: parseSize(rest!, { min: SECTOR_SIZE, max: 2 ** 50 }, SECTOR_SIZE) };
      case "add-port":
        return { ...at, action, port: parsePort(rest!, false) };
      case "remove-port":
        return { ...at, action, id: parseInteger(rest!, { min: 0, max: 30 }) };
      case "console-size": {
        const match = /^(\d{1,5})x(\d{1,5})$/.exec(rest!);
        const [cols, rows] = [Number(match?.[1] ?? 0), Number(match?.[2] ?? 0)];
        if (match === null || Math.max(cols, rows) > 0xffff) throw new RangeError("COLSxROWS, such as 132x43");
        return { ...at, action, cols, rows };
      }
      case "needs-reset":
        return { ...at, action };
    }
  });
}

/** Parses a time with an action. */
export function parseTimedAction(text: string): TimedAction {
  const comma = text.indexOf(",");
  if (comma < 0) throw new RangeError(`TIME,ACTION, with an action of ${actionHelp}`);
  return {
    timeNs: within("TIME", () => parseTime(text.slice(0, comma), "ns")),
    act: parseAction(text.slice(comma + 1)),
  };
}

/** Says which part of a text a RangeError is about. */
function within<T>(part: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw error instanceof RangeError ? new RangeError(`${part} with ${error.message}`) : error;
  }
}
