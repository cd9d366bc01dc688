/** Half-precision floating point (unpriv §32): Zfhmin moves and converts, Zfh computes too. */
import { computeRows, convertRow, memoryRows, moveRows } from "./float_rows.ts";
import { type Extension, extension, FLOAT_OPCODES } from "./row.ts";

const MEMORY = "unpriv §32.1";
const CONVERT = "unpriv §32.3";

/** Zfhmin. */
export const rvZfhmin: Extension = extension("zfhmin", FLOAT_OPCODES, () => [
  ...memoryRows("h", "h", MEMORY),
  ...moveRows("h", "h", CONVERT),
  convertRow("s", "h", CONVERT),
  convertRow("h", "s", CONVERT),
  convertRow("d", "h", CONVERT, { needs: "d" }),
  convertRow("h", "d", CONVERT, { needs: "d" }),
]);

/** Zfh, without what Zfhmin has. */
export const rvZfh: Extension = extension("zfh", FLOAT_OPCODES, () => (computeRows("h", {
  memory: MEMORY,
  compute: "unpriv §32.2",
  convert: CONVERT,
  compare: "unpriv §32.4",
  classify: "unpriv §32.5",
})));
