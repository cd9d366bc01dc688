/** Bytes that grow at their end, in WebAssembly's encodings of numbers and names. */

/** Memory that was given back. Modules are made one after the other, each of some kilobytes in a few pieces. */
const spare: Uint8Array<ArrayBuffer>[] = [];
/** Most pieces that are kept, the size of a new one, and the largest that is kept. */
const SPARE = 32;
const SIZE = 4096;
const LARGE = 1 << 18;

/** Most bytes of an opcode with its immediates. */
const MOST = 16;

/** Bytes of a length that is written before it is known: LEB128 with as many as any length needs. */
const LENGTH = 5;

const float = new Uint8Array(8);
const floatView = new DataView(float.buffer);

/** The bytes. */
export class Bytes {
  length = 0;
  #bytes: Uint8Array<ArrayBuffer> = spare.pop() ?? new Uint8Array(SIZE);

  /** Gives the memory back; what is appended later needs new one. */
  free(): void {
    if (spare.length < SPARE && this.#bytes.length >= SIZE && this.#bytes.length <= LARGE) spare.push(this.#bytes);
    this.#bytes = NONE;
    this.length = 0;
  }

  #room(more: number): void {
    if (this.length + more <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.length + more, SIZE));
    larger.set(this.#bytes.subarray(0, this.length));
    this.#bytes = larger;
  }
  byte(value: number): this {
    if (this.length === this.#bytes.length) this.#room(1);
    this.#bytes[this.length++] = value;
    return this;
  }
  /** Appends what others have. */
  all(other: Bytes): this {
    this.#room(other.length);
    this.#bytes.set(other.view, this.length);
    this.length += other.length;
    return this;
  }
  /** A name of ASCII letters, with its length. */
  text(value: string): this {
    this.unsigned(value.length);
    for (let i = 0; i < value.length; i++) this.byte(value.charCodeAt(i));
    return this;
  }
  /** Begins what has its length before it; returns where. */
  open(): number {
    this.#room(LENGTH);
    this.length += LENGTH;
    return this.length;
  }
  /** Ends what began at `start`. */
  close(start: number): this {
    let rest = this.length - start;
    for (let i = LENGTH; i > 0; i--) {
      this.#bytes[start - i] = (rest & 127) | (i > 1 ? 128 : 0);
      rest >>>= 7;
    }
    return this;
  }
  /** An opcode with a number below 2^32, in unsigned LEB128. These are called for every instruction: they look for room once. */
  opUnsigned(code: number, n: number): this {
    if (this.length + MOST > this.#bytes.length) this.#room(MOST);
    this.#bytes[this.length++] = code;
    // Most have one byte, and calls are what costs while V8 has not compiled this.
    if (n >= 0 && n < 128) this.#bytes[this.length++] = n;
    else this.#unsigned(n);
    return this;
  }
  /** Up to three opcodes; below 0: none. */
  ops(first: number, second: number, third: number): this {
    if (this.length + MOST > this.#bytes.length) this.#room(MOST);
    this.#bytes[this.length++] = first;
    if (second < 0) return this;
    this.#bytes[this.length++] = second;
    if (third >= 0) this.#bytes[this.length++] = third;
    return this;
  }
  /** An opcode with an integer that a number holds exactly, in signed LEB128. */
  opSigned(code: number, n: number): this {
    if (this.length + MOST > this.#bytes.length) this.#room(MOST);
    const bytes = this.#bytes;
    let at = this.length;
    bytes[at++] = code;
    if (n >= -64 && n < 64) {
      bytes[at] = n & 127;
      this.length = at + 1;
      return this;
    }
    let rest = n;
    // Beyond 32 bits.
    while (rest !== (rest | 0)) {
      const byte = rest & 127;
      bytes[at++] = byte | 128;
      rest = (rest - byte) / 128;
    }
    while (rest < -64 || rest > 63) {
      bytes[at++] = (rest & 127) | 128;
      rest >>= 7;
    }
    bytes[at++] = rest & 127;
    this.length = at;
    return this;
  }
  /** A load or store with its offset; nothing is said of its alignment. */
  opMemory(code: number, offset: number): this {
    if (this.length + MOST > this.#bytes.length) this.#room(MOST);
    this.#bytes[this.length++] = code;
    this.#bytes[this.length++] = 0;
    this.#unsigned(offset);
    return this;
  }
  /** Unsigned LEB128 of a number below 2^32. */
  unsigned(n: number): this {
    if (this.length + MOST > this.#bytes.length) this.#room(MOST);
    this.#unsigned(n);
    return this;
  }
  /** The same where there is room. */
  #unsigned(n: number): void {
    const bytes = this.#bytes;
    let at = this.length;
    let rest = n >>> 0;
    while (rest > 127) {
      bytes[at++] = (rest & 127) | 128;
      rest >>>= 7;
    }
    bytes[at++] = rest;
    this.length = at;
  }
  /** Signed LEB128 of a 64-bit bigint. */
  signedWide(n: bigint): this {
    let rest = n;
    while (rest < -64n || rest > 63n) {
      this.byte(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    return this.byte(Number(rest & 127n));
  }
  /** The eight bytes of a double. */
  float64(value: number): this {
    floatView.setFloat64(0, value, true);
    for (let i = 0; i < 8; i++) this.byte(float[i]!);
    return this;
  }
  /** The bytes so far; good until more are appended. */
  get view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.length);
  }
}

const NONE = new Uint8Array(0);
