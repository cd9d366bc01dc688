/** Where a console's port goes on the host, as the command line says it. */

import type { PortPlace } from "../../devices/host/open_port.ts";

/** Kinds of targets with what follows their names. */
const FORMS = {
  terminal: "",
  null: "",
  loop: "",
  file: "PATH",
  pipe: "PATH",
  tcp: "HOST:PORT",
  "tcp-listen": "HOST:PORT",
  unix: "PATH",
  "unix-listen": "PATH",
} as const;

/** A kind of target. */
export type TargetKind = keyof typeof FORMS;

/** Where a port goes. */
export type PortTarget = PortPlace | { readonly kind: "terminal" };

/** The targets there are, for help and messages. */
export const targetHelp: string = Object.entries(FORMS).map(([kind, form]) => form === "" ? kind : `${kind}:${form}`)
  .join(", ");

/** Parses a target; a RangeError says what was expected. */
export function parseTarget(text: string): PortTarget {
  const at = text.indexOf(":");
  const kind = at < 0 ? text : text.slice(0, at);
  const rest = at < 0 ? "" : text.slice(at + 1);
  if (!Object.hasOwn(FORMS, kind)) throw new RangeError(`one of ${targetHelp}`);
  const target = parseRest(kind as TargetKind, rest, at >= 0);
  if (target === undefined) {
    throw new RangeError(FORMS[kind as TargetKind] === "" ? kind : `${kind}:${FORMS[kind as TargetKind]}`);
  }
  return target;
}

function parseRest(kind: TargetKind, rest: string, given: boolean): PortTarget | undefined {
  switch (kind) {
    case "terminal":
    case "null":
    case "loop":
      return given ? undefined : { kind };
    case "file":
    case "pipe":
    case "unix":
    case "unix-listen":
      return rest === "" ? undefined : { kind, path: rest };
    case "tcp":
    case "tcp-listen": {
      // An IPv6 address stands in brackets.
      const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:\[\]]+)):(\d{1,5})$/.exec(rest);
      const port = Number(match?.[3] ?? -1);
      if (match === null || port > 65535) return undefined;
      return { kind, hostname: match[1] ?? match[2]!, port };
    }
  }
}

/** What a message calls the target, and what is done with it to open it. */
export function targetPlace(target: PortTarget): { readonly name: string; readonly doing: string } {
  switch (target.kind) {
    case "terminal":
    case "null":
    case "loop":
      return { name: target.kind, doing: "opened" };
    case "file":
    case "pipe":
      return { name: target.path, doing: "opened" };
    case "unix":
      return { name: target.path, doing: "connected to" };
    case "unix-listen":
      return { name: target.path, doing: "listened at" };
    case "tcp":
      return { name: address(target.hostname, target.port), doing: "connected to" };
    case "tcp-listen":
      return { name: address(target.hostname, target.port), doing: "listened at" };
  }
}

function address(hostname: string, port: number): string {
  return `${hostname.includes(":") ? `[${hostname}]` : hostname}:${port}`;
}

/** What Deno must allow for `target`: files to read and write, hosts to reach. */
export function targetNeeds(target: PortTarget): {
  readonly read: readonly string[];
  readonly write: readonly string[];
  readonly net: readonly string[];
} {
  switch (target.kind) {
    case "terminal":
    case "null":
    case "loop":
      return { read: [], write: [], net: [] };
    case "file":
      return { read: [], write: [target.path], net: [] };
    case "pipe": {
      const both = [`${target.path}.in`, `${target.path}.out`];
      return { read: both, write: both, net: [] };
    }
    case "unix":
    case "unix-listen":
      return { read: [target.path], write: [target.path], net: [] };
    case "tcp":
    case "tcp-listen":
      return { read: [], write: [], net: [address(target.hostname, target.port)] };
  }
}
