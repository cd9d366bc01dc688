/** Double-precision floating point (unpriv §21). */
import { computeRows, convertRow, memoryRows, moveRows } from "./float_rows.ts";
import { type Extension, extension, FLOAT_OPCODES } from "./row.ts";

const MEMORY = "unpriv §21.3";
const CONVERT = "unpriv §21.5";

/** The D extension. */
export const rvD: Extension = extension("d", FLOAT_OPCODES, () => [
  ...memoryRows("d", "d", MEMORY),
  ...computeRows("d", {
    memory: MEMORY,
    compute: "unpriv §21.4",
    convert: CONVERT,
    compare: "unpriv §21.6",
    classify: "unpriv §21.7",
  }),
  convertRow("s", "d", CONVERT),
  convertRow("d", "s", CONVERT),
  ...moveRows("d", "d", CONVERT, { xlen: 64 }),
]);
