/** The shape of a register table: what a device's registers are called, where they are and who may touch them. */

/** A named field of a register. */
export interface RegisterBits {
  readonly name: string;
  /** Mask within the register; a mask with several bits is a number field, shown shifted down. */
  readonly mask: number;
  /** Names of the field's values, where it is an enumeration. */
  readonly values?: Readonly<Record<number, string>>;
}

/** One register. A device's table is read by its bus decode, the tracer, the checker and the C header generator. */
export interface RegisterDef {
  /** The specification's own spelling. */
  readonly name: string;
  /** The name in the legacy interface, where it differs. */
  readonly legacyName?: string;
  /** Byte offset from the device's base. */
  readonly offset: number;
  /** Width in bytes. */
  readonly size: 1 | 2 | 4 | 8;
  readonly access: "R" | "W" | "RW";
  /** Which interface has it (virtio only); absent means both. */
  readonly versions?: "legacy" | "modern" | "both";
  /** Value after reset, where one is defined. */
  readonly reset?: number;
  readonly bits?: readonly RegisterBits[];
  /** Number of repetitions and their distance, for register arrays (PLIC priorities, mtimecmp). */
  readonly repeat?: { readonly count: number; readonly stride: number };
  /** Where it is defined, e.g. `virtio 1.2 §4.2.2`. */
  readonly spec: string;
}

/** The register that holds byte `offset`, with its index for register arrays; undefined where the table has a hole. */
export function findRegister(
  table: readonly RegisterDef[],
  offset: number,
  legacy = false,
): { readonly def: RegisterDef; readonly index: number } | undefined {
  for (const def of table) {
    if (def.versions === (legacy ? "modern" : "legacy")) continue;
    const delta = offset - def.offset;
    if (delta < 0) continue;
    if (def.repeat === undefined) {
      if (delta < def.size) return { def, index: 0 };
      continue;
    }
    const index = Math.floor(delta / def.repeat.stride);
    if (index < def.repeat.count && delta % def.repeat.stride < def.size) return { def, index };
  }
  return undefined;
}
