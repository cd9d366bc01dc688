/**
 * The part of SARIF 2.1.0 that logs of findings use, as the standard has it (OASIS, sections in comments): which
 * properties an object may and must have, and of what kind they are.
 */

type Check = (value: unknown, path: string) => string[];

const fail = (path: string, expected: string, value: unknown): string[] => [
  `${path}: expected ${expected}, got ${JSON.stringify(value)?.slice(0, 60)}`,
];

const text: Check = (value, path) => typeof value === "string" ? [] : fail(path, "a text", value);
const integer = (least: number): Check => (value, path) =>
  Number.isSafeInteger(value) && (value as number) >= least ? [] : fail(path, `an integer from ${least}`, value);
const one = (...values: readonly string[]): Check => (value, path) =>
  values.includes(value as string) ? [] : fail(path, values.join(" or "), value);
const uri: Check = (value, path) =>
  typeof value === "string" && /^[\w.~:/%@!$&'()*+,;=-]+$/.test(value) ? [] : fail(path, "a URI", value);
const list = (item: Check): Check => (value, path) =>
  Array.isArray(value) ? value.flatMap((one, i) => item(one, `${path}[${i}]`)) : fail(path, "an array", value);
const bag: Check = (value, path) =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? [] : fail(path, "an object", value);

/** An object with the properties of `shape`; a name that ends in `!` must be there. */
function object(shape: Readonly<Record<string, Check>>): Check {
  return (value, path) => {
    if (bag(value, path).length > 0) return bag(value, path);
    const given = value as Readonly<Record<string, unknown>>;
    const checks = new Map(Object.entries(shape).map(([name, check]) => [name.replace("!", ""), check]));
    const missing = Object.keys(shape).filter((name) => name.endsWith("!") && !(name.slice(0, -1) in given));
    return [
      ...missing.map((name) => `${path}: has no ${name.slice(0, -1)}`),
      ...Object.entries(given).flatMap(([name, one]) =>
        checks.get(name)?.(one, `${path}.${name}`) ?? [`${path}: no property is called ${name}`]
      ),
    ];
  };
}

const level = one("none", "note", "warning", "error"); // §3.27.10
const message = object({ "text!": text }); // §3.11, §3.12
const address = object({ absoluteAddress: integer(-1), fullyQualifiedName: text }); // §3.32
const artifactLocation = object({ uri }); // §3.4
const location = object({ // §3.28
  physicalLocation: object({ artifactLocation, address, region: object({ startLine: integer(1) }) }), // §3.29, §3.30
  logicalLocations: list(object({ name: text, kind: one("function") })), // §3.33
});
const rule = object({ // §3.49
  "id!": text,
  name: text,
  shortDescription: message,
  fullDescription: message,
  help: message,
  defaultConfiguration: object({ level }),
  properties: bag,
});
const result = object({ // §3.27
  ruleId: text,
  ruleIndex: integer(-1),
  level,
  "message!": message,
  locations: list(location),
  occurrenceCount: integer(1),
  partialFingerprints: bag,
  stacks: list(object({ "frames!": list(object({ location })) })), // §3.44, §3.45
  properties: bag,
});
const log = object({ // §3.13
  $schema: uri,
  "version!": one("2.1.0"),
  "runs!": list(object({ // §3.14
    "tool!": object({ "driver!": object({ "name!": text, semanticVersion: text, rules: list(rule) }) }), // §3.18, §3.19
    automationDetails: object({ id: text }), // §3.17
    artifacts: list(object({ location: artifactLocation, roles: list(one("analysisTarget")) })), // §3.24
    columnKind: one("utf16CodeUnits", "unicodeCodePoints"),
    results: list(result),
  })),
});

/** What is wrong with a log; empty for one that is right. */
export function sarifProblems(value: unknown): string[] {
  return log(value, "log");
}
