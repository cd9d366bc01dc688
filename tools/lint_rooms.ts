/**
 * Lint plugin: who may import whom, and who may touch the host. {@linkcode ROOMS} is the whole rule book; the rules
 * below only read it. `deno lint` runs it (see `lint.plugins` in `deno.json`).
 *
 * - `rooms/arrows`: a file imports only from the rooms its own room names.
 * - `rooms/packages`: packages and `node:` modules likewise; versions stand in `deno.json`, never in an import.
 * - `rooms/deno`: `Deno` only where the host is at hand; everything else runs in a browser as it is.
 * - `rooms/clock`: no wall clock and no unseeded random number where a run must depend on its inputs alone.
 *
 * @module
 */

/** A part of the tree with one set of permissions. */
export interface Room {
  /** What other rooms and messages call it. */
  readonly name: string;
  /** Paths from the project's top: a file, a folder (ending in `/`), or a pattern of whole paths. */
  readonly files: readonly (string | RegExp)[];
  /** Names of the rooms it may import from, besides itself. */
  readonly imports: readonly string[];
  /** Packages it may import, by their names in `deno.json`; an entry ending in `:` allows that scheme. */
  readonly packages?: readonly string[];
  /** Whether it may name `Deno`. */
  readonly deno?: boolean;
  /** Whether it may read the host's clock and random numbers. */
  readonly clock?: boolean;
}

/** What the three readers of the event stream share: facts, instruction text, names. */
const READER_IMPORTS = ["vm/events.ts", "vm/isa", "vm/hart/layout.ts", "registers", "vm/bits.ts"] as const;

/** Everything the machine is put together from. */
const BELOW_MACHINE = [
  "vm/boot",
  "vm/board.ts",
  "vm/events.ts",
  "vm/isa",
  "vm/hart",
  "vm/hart/layout.ts",
  "vm/sbi",
  "vm/translate",
  "vm/trace",
  "vm/check",
  "vm/debug",
  "vm/bus",
  "vm/bits.ts",
  "registers",
  "devices",
  "devices/host",
] as const;

const STD = ["@std/cli", "@std/fs"] as const;

/** The rooms; a file belongs to the first one that lists it. */
export const ROOMS: readonly Room[] = [
  // The way in.
  { name: "vm/main.ts", files: ["vm/main.ts"], imports: ["vm/cli"], packages: STD, deno: true, clock: true },
  {
    name: "vm/cli",
    files: ["vm/cli/"],
    imports: ["vm/machine", ...BELOW_MACHINE],
    packages: STD,
    deno: true,
    clock: true,
  },
  { name: "vm/mod.ts", files: ["vm/mod.ts"], imports: ["vm/machine", ...BELOW_MACHINE] },
  { name: "web", files: ["web/"], imports: ["vm/machine", "vm/mod.ts", "vm/events.ts", "vm/bits.ts"], clock: true },
  // The machine and its parts. `registers` is the tables that name registers, bits and features, and their shape:
  // data that traces and findings are worded with, never a device.
  { name: "vm/machine", files: ["vm/machine.ts", "vm/machine/"], imports: BELOW_MACHINE },
  {
    name: "registers",
    files: ["vm/bus/register.ts", /^devices\/(.+\/)?(.+_)?registers\.ts$/, "devices/virtio/features.ts"],
    imports: ["vm/bits.ts"],
  },
  { name: "vm/boot", files: ["vm/boot/"], imports: ["vm/board.ts", "vm/sbi", "vm/bus", "vm/bits.ts"] },
  { name: "vm/board.ts", files: ["vm/board.ts"], imports: ["vm/bits.ts"] },
  { name: "vm/trace", files: ["vm/trace/"], imports: READER_IMPORTS },
  // Findings word register accesses and addresses as traces do, and say file and line.
  { name: "vm/check", files: ["vm/check/"], imports: ["vm/trace", "vm/debug", ...READER_IMPORTS] },
  { name: "vm/debug", files: ["vm/debug/"], imports: READER_IMPORTS },
  // The environment that a kernel calls where no firmware runs: a part of the machine, above its harts.
  {
    name: "vm/sbi",
    files: ["vm/sbi/"],
    imports: ["vm/hart", "vm/hart/layout.ts", "vm/isa", "vm/bus", "vm/events.ts", "vm/bits.ts"],
  },
  {
    name: "vm/translate",
    files: ["vm/translate/"],
    imports: ["vm/isa", "vm/hart", "vm/hart/layout.ts", "vm/bus", "vm/events.ts", "vm/bits.ts"],
  },
  {
    name: "vm/hart/layout.ts",
    files: ["vm/hart/layout.ts"],
    imports: ["vm/isa", "vm/bus", "vm/events.ts", "vm/bits.ts"],
  },
  {
    name: "vm/hart",
    files: ["vm/hart/"],
    imports: ["vm/hart/layout.ts", "vm/isa", "vm/bus", "vm/events.ts", "vm/bits.ts"],
  },
  { name: "vm/isa", files: ["vm/isa/"], imports: ["vm/bits.ts"] },
  { name: "vm/bus", files: ["vm/bus/"], imports: ["registers", "vm/events.ts", "vm/bits.ts"] },
  { name: "vm/events.ts", files: ["vm/events.ts", "vm/watches.ts"], imports: ["registers", "vm/bits.ts"] },
  { name: "vm/bits.ts", files: ["vm/bits.ts"], imports: [] },
  // Devices, and the only place among them that touches the host.
  {
    name: "devices/host",
    files: ["devices/host/"],
    imports: ["devices", "registers", "vm/bus", "vm/events.ts", "vm/bits.ts"],
    packages: ["@std/fs"],
    deno: true,
    clock: true,
  },
  { name: "devices", files: ["devices/"], imports: ["registers", "vm/bus", "vm/events.ts", "vm/bits.ts"] },
  // What is not part of the product.
  {
    name: "tests",
    files: ["tests/"],
    imports: ["vm/main.ts", "vm/cli", "vm/mod.ts", "web", "vm/machine", ...BELOW_MACHINE, "tools"],
    packages: ["@std/assert", ...STD, "@microsoft/jest-sarif", "ajv", "fast-check", "wabt", "node:"],
    deno: true,
    clock: true,
  },
  { name: "tools/std", files: ["tools/std/"], imports: [], packages: ["npm:"], deno: true, clock: true },
  {
    name: "tools",
    files: ["tools/"],
    imports: ["vm/cli", "vm/mod.ts", "vm/machine", ...BELOW_MACHINE],
    packages: [...STD, "node:"],
    deno: true,
    clock: true,
  },
];

/** The project's top, as the start of every absolute file name in it. */
const TOP: string = decodeURIComponent(new URL("../", import.meta.url).pathname);

/** A linted file's path from the project's top; undefined for a file that is not in the project. */
function projectPath(filename: string): string | undefined {
  if (filename.startsWith(TOP)) return filename.slice(TOP.length);
  return filename.startsWith("/") ? undefined : filename;
}

/** The room of a path from the project's top; undefined where no room has it. */
export function roomOf(path: string): Room | undefined {
  const holds = (entry: string | RegExp): boolean => {
    if (typeof entry !== "string") return entry.test(path);
    return entry.endsWith("/") ? path.startsWith(entry) : path === entry;
  };
  return ROOMS.find((room) => room.files.some(holds));
}

/** What `specifier`, written in the file `from`, names: a path of the project, or something outside it. */
function resolve(specifier: string, from: string): { readonly path: string } | { readonly outside: string } {
  if (!/^\.\.?\//.test(specifier)) return { outside: specifier };
  // One folder too many is cut off by URL rules at the top: count them by putting the project two folders down.
  const { pathname } = new URL(specifier, `file:///x/top/${from}`);
  return pathname.startsWith("/x/top/") ? { path: pathname.slice("/x/top/".length) } : { outside: specifier };
}

/** Calls `found` for every module a file names: imports, re-exports, `import()` and `import("…")` types. */
function eachSpecifier(
  found: (specifier: string | undefined, node: Deno.lint.Node) => void,
): Deno.lint.LintVisitor {
  const literal = (node: Deno.lint.Node | null): string | undefined => {
    if (node?.type === "TSLiteralType") return literal(node.literal);
    if (node?.type === "Literal" && typeof node.value === "string") return node.value;
    if (node?.type === "TemplateLiteral" && node.expressions.length === 0) return node.quasis[0]?.cooked;
    return undefined;
  };
  return {
    ImportDeclaration: (node): void => found(node.source.value, node),
    ExportAllDeclaration: (node): void => found(node.source.value, node),
    ExportNamedDeclaration: (node): void => {
      if (node.source !== null) found(node.source.value, node);
    },
    ImportExpression: (node): void => found(literal(node.source), node),
    TSImportType: (node): void => found(literal(node.argument), node),
  };
}

/** A rule that runs on the files of the project, knowing path and room. */
function rule(
  visit: (room: Room, path: string, context: Deno.lint.RuleContext) => Deno.lint.LintVisitor,
): Deno.lint.Rule {
  return {
    create(context): Deno.lint.LintVisitor {
      const path = projectPath(context.filename);
      const room = path === undefined ? undefined : roomOf(path);
      return path === undefined || room === undefined ? {} : visit(room, path, context);
    },
  };
}

const arrows: Deno.lint.Rule = {
  create(context): Deno.lint.LintVisitor {
    const path = projectPath(context.filename);
    if (path === undefined) return {};
    const room = roomOf(path);
    if (room === undefined) {
      return {
        Program: (node): void =>
          context.report({
            node,
            message: `${path} is in no room`,
            hint: "put it in a room of ROOMS in tools/lint_rooms.ts, or give it one there",
          }),
      };
    }
    return eachSpecifier((specifier, node) => {
      if (specifier === undefined) {
        if (room.deno !== true) {
          context.report({ node, message: `${room.name} imports a module whose name is computed`, hint: "name it" });
        }
        return;
      }
      const target = resolve(specifier, path);
      if ("outside" in target) return;
      const other = roomOf(target.path);
      if (other === room || (other !== undefined && room.imports.includes(other.name))) return;
      context.report({
        node,
        message: `${room.name} may not import ${other?.name ?? target.path}`,
        hint: room.imports.length === 0 ? `${room.name} imports nothing` : `it imports ${room.imports.join(", ")}`,
      });
    });
  },
};

const packages: Deno.lint.Rule = rule((room, path, context) =>
  eachSpecifier((specifier, node) => {
    if (specifier === undefined) return;
    const target = resolve(specifier, path);
    if ("path" in target) return;
    const name = target.outside;
    const allowed = (room.packages ?? []).some((entry) =>
      entry.endsWith(":") ? name.startsWith(entry) : name === entry || name.startsWith(`${entry}/`)
    );
    if (allowed) return;
    const hint = /^(npm|jsr|https?):/.test(name)
      ? "give it a name and a version under imports in deno.json"
      : "see packages in tools/lint_rooms.ts";
    context.report({ node, message: `${room.name} may not import ${name}`, hint });
  })
);

/** Whether an identifier is used as a variable, not as the name of a property. */
function isVariable(node: Deno.lint.Identifier): boolean {
  const { parent } = node;
  if (parent.type === "MemberExpression") return parent.object === node || parent.computed;
  if (parent.type === "Property") return parent.value === node || parent.computed;
  if (parent.type === "TSQualifiedName") return parent.left === node;
  return !["MethodDefinition", "PropertyDefinition", "TSPropertySignature", "TSMethodSignature"].includes(parent.type);
}

/** A member's name where it can be read off: `a.b` and `a["b"]`. */
function memberName(node: Deno.lint.MemberExpression): string | undefined {
  if (!node.computed && node.property.type === "Identifier") return node.property.name;
  if (node.property.type === "Literal" && typeof node.property.value === "string") return node.property.value;
  return undefined;
}

/** Names of the global object. */
const GLOBAL_OBJECTS: readonly string[] = ["globalThis", "self", "window"];

/** Calls `found` where one of the globals `names` is used, under its own name or through the global object. */
function eachGlobal(
  names: readonly string[],
  found: (name: string, node: Deno.lint.Identifier | Deno.lint.MemberExpression) => void,
): Deno.lint.LintVisitor {
  return {
    Identifier: (node): void => {
      if (names.includes(node.name) && isVariable(node)) found(node.name, node);
    },
    MemberExpression: (node): void => {
      const name = memberName(node);
      if (name === undefined || !names.includes(name)) return;
      if (node.object.type === "Identifier" && GLOBAL_OBJECTS.includes(node.object.name)) found(name, node);
    },
  };
}

const deno: Deno.lint.Rule = rule((room, _path, context) => {
  if (room.deno === true) return {};
  const rooms = ROOMS.filter((other) => other.deno === true).map((other) => other.name).join(", ");
  return eachGlobal(["Deno"], (_name, node) =>
    context.report({
      node,
      message: `${room.name} may not use Deno`,
      hint: `take what it gives as an argument; Deno belongs in ${rooms}`,
    }));
});

/** Globals whose results differ from run to run, with the members that do; undefined means all of it. */
const AMBIENT: Readonly<Record<string, readonly string[] | undefined>> = {
  Date: ["now"],
  performance: undefined,
  Math: ["random"],
  crypto: undefined,
};

/** Which forbidden thing a use of the global `name` is: `Date.now`, `new Date()`, …; undefined if it is harmless. */
function ambientUse(name: string, use: Deno.lint.Node): string | undefined {
  const members = AMBIENT[name];
  if (members === undefined) return name;
  const parent = "parent" in use ? use.parent : undefined;
  if (parent?.type === "MemberExpression" && parent.object === use) {
    const member = memberName(parent);
    return member !== undefined && members.includes(member) ? `${name}.${member}` : undefined;
  }
  if (parent?.type === "VariableDeclarator" && parent.id.type === "ObjectPattern") {
    const taken = parent.id.properties.flatMap((property) =>
      property.type === "Property" && property.key.type === "Identifier" ? [property.key.name] : []
    );
    const member = taken.find((key) => members.includes(key));
    return member === undefined ? undefined : `${name}.${member}`;
  }
  // A date from given numbers is arithmetic; without arguments, or called, it is the clock.
  if (name !== "Date") return undefined;
  if (parent?.type === "NewExpression" && parent.callee === use) {
    return parent.arguments.length === 0 ? "new Date()" : undefined;
  }
  return parent?.type === "CallExpression" && parent.callee === use ? "Date()" : undefined;
}

const clock: Deno.lint.Rule = rule((room, _path, context) => {
  if (room.clock === true) return {};
  return eachGlobal(Object.keys(AMBIENT), (name, node) => {
    const what = ambientUse(name, node);
    if (what === undefined) return;
    context.report({
      node,
      message: `${room.name} may not use ${what}`,
      hint: "a run depends on image, options, seed and input log alone: take time and numbers as arguments",
    });
  });
});

const plugin: Deno.lint.Plugin = { name: "rooms", rules: { arrows, packages, deno, clock } };

export default plugin;
