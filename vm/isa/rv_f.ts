/** Single-precision floating point (unpriv §20). */
import { computeRows, memoryRows, moveRows } from "./float_rows.ts";
import { type Extension, extension, FLOAT_OPCODES } from "./row.ts";

const MEMORY = "unpriv §20.5";
const CONVERT = "unpriv §20.7";

/** The F extension. */
export const rvF: Extension = extension("f", FLOAT_OPCODES, () => [
  ...memoryRows("s", "w", MEMORY),
  ...computeRows("s", {
    memory: MEMORY,
    compute: "unpriv §20.6",
    convert: CONVERT,
    compare: "unpriv §20.8",
    classify: "unpriv §20.9",
  }),
  ...moveRows("s", "w", CONVERT),
]);
