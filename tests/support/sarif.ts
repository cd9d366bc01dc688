/** SARIF logs held to the published JSON schema (OASIS, SARIF 2.1.0), as Microsoft's SARIF SDK for JavaScript has it. */
import schema from "@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json" with { type: "json" };
import Ajv from "ajv";
import meta from "ajv/lib/refs/json-schema-draft-04.json" with { type: "json" };

// The schema is of draft 4; that the validator's own is of another one it would say at length.
const validate = new Ajv({ schemaId: "id", meta, allErrors: true, logger: false }).compile(schema);

/** What is wrong with a log; empty for one that is right. */
export function sarifProblems(log: unknown): string[] {
  if (validate(log) === true) return [];
  return (validate.errors ?? []).map(({ dataPath, message }) => `${dataPath}: ${message}`);
}
