/** The shape of a register table: what a device's registers are called, where they are and who may touch them. */

/** A named field of a register. */
export interface RegisterBits {
  /** The specification's name for it. */
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
  /** What a driver may do with it. */
  readonly access: "R" | "W" | "RW";
  /** Which interface has it (virtio only); absent means both. */
  readonly versions?: "legacy" | "modern" | "both";
  /** Value after reset, where one is defined. */
  readonly reset?: number;
  /** Its named fields, where it has some. */
  readonly bits?: readonly RegisterBits[];
  /** Number of repetitions and their distance, for register arrays (PLIC priorities, mtimecmp). */
  readonly repeat?: { readonly count: number; readonly stride: number };
  /** Where it is defined, e.g. `virtio 1.2 §4.2.2`. */
  readonly spec: string;
}

/** A register found in a table: its row, and which repetition for register arrays (0 otherwise). */
export interface FoundRegister {
  readonly def: RegisterDef;
  readonly index: number;
}

/**
 * The register that holds byte `offset`, with its index for register arrays; undefined where the table has a hole.
 *
 * Two registers may share an offset, one for reads and one for writes (a UART's RBR and THR): `write` chooses. A
 * register that the access may not touch is found all the same where no other is there: that is worth telling.
 */
export function findRegister(
  table: readonly RegisterDef[],
  offset: number,
  legacy = false,
  write?: boolean,
): FoundRegister | undefined {
  let other: FoundRegister | undefined;
  const refused = write === undefined ? undefined : write ? "R" : "W";
  for (const def of table) {
    if (def.versions === (legacy ? "modern" : "legacy")) continue;
    const index = indexIn(def, offset - def.offset);
    if (index < 0) continue;
    if (def.access !== refused) return { def, index };
    other ??= { def, index };
  }
  return other;
}

/** Which repetition of `def` holds the byte `delta` after its first one; -1 if none does. */
function indexIn(def: RegisterDef, delta: number): number {
  if (delta < 0) return -1;
  if (def.repeat === undefined) return delta < def.size ? 0 : -1;
  const index = Math.floor(delta / def.repeat.stride);
  return index < def.repeat.count && delta % def.repeat.stride < def.size ? index : -1;
}
