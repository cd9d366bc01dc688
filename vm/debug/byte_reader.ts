/** Reading little-endian debug information that may be malformed: every read is checked, and nothing is believed. */

/** Debug information that does not mean anything; whoever asked goes without. */
export class DwarfError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "DwarfError";
  }
}

/** Bytes of a LEB128 number that mean something, and some padding (DWARF 5 §7.6). */
const LEB_MAX = 16;

const decoder = new TextDecoder();

/** A place in a section, which goes forward as fields are read. DwarfError where the section (or `end`) is over. */
export class ByteReader {
  readonly bytes: Uint8Array;
  /** Offset of the next byte. */
  at: number;
  /** Where reading ends. */
  end: number;
  readonly #view: DataView;

  constructor(bytes: Uint8Array, at = 0, end: number = bytes.length) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = Math.min(end, bytes.length);
    this.at = at;
    if (!(at >= 0 && at <= this.end)) throw new DwarfError(`offset ${at} of ${this.end} bytes`);
  }

  /** Bytes left. */
  get left(): number {
    return this.end - this.at;
  }

  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  i8(): number {
    return this.#view.getInt8(this.#take(1));
  }

  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  u64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** An unsigned number of `size` bytes. */
  unsigned(size: number): bigint {
    switch (size) {
      case 1:
        return BigInt(this.u8());
      case 2:
        return BigInt(this.u16());
      case 4:
        return BigInt(this.u32());
      case 8:
        return this.u64();
      default:
        throw new DwarfError(`a number of ${size} bytes`);
    }
  }

  /** An offset in a section, 4 bytes or 8 in 64-bit DWARF. */
  offset(wide: boolean): number {
    return wide ? Number(this.u64()) : this.u32();
  }

  /** A length that decides whether what follows is 64-bit DWARF (DWARF 5 §7.4). */
  initialLength(): { readonly length: number; readonly wide: boolean } {
    const length = this.u32();
    if (length === 0xffff_ffff) return { length: Number(this.u64()), wide: true };
    if (length >= 0xffff_fff0) throw new DwarfError(`reserved length ${length}`);
    return { length, wide: false };
  }

  /** An unsigned LEB128; beyond 2^53 it loses bits, as nothing here is so large. */
  uleb(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < LEB_MAX; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
    }
    throw new DwarfError("a LEB128 number without end");
  }

  /** A signed LEB128, likewise. */
  sleb(): number {
    let value = 0;
    let scale = 1;
    for (let i = 0; i < LEB_MAX; i++) {
      const byte = this.u8();
      value += (byte & 0x7f) * scale;
      scale *= 128;
      if (byte < 0x80) return (byte & 0x40) === 0 ? value : value - scale;
    }
    throw new DwarfError("a LEB128 number without end");
  }

  /** A text up to its NUL. */
  text(): string {
    const start = this.at;
    this.skipText();
    return decoder.decode(this.bytes.subarray(start, this.at - 1));
  }

  skipText(): void {
    const stop = this.bytes.indexOf(0, this.at);
    if (stop < 0 || stop >= this.end) throw new DwarfError("a text without end");
    this.at = stop + 1;
  }

  skip(count: number): void {
    this.#take(count);
  }

  #take(count: number): number {
    const at = this.at;
    if (!(count >= 0 && count <= this.end - at)) throw new DwarfError(`${count} bytes at ${at} of ${this.end}`);
    this.at = at + count;
    return at;
  }
}

/** The text at `offset` of a string section; "" where there is none. */
export function textAt(section: Uint8Array | undefined, offset: number): string {
  if (section === undefined || !(offset >= 0 && offset < section.length)) return "";
  try {
    return new ByteReader(section, offset).text();
  } catch (error) {
    if (error instanceof DwarfError) return "";
    throw error;
  }
}
