/** One field of a device configuration space (virtio 1.2 §2.5). */
export interface ConfigField {
  /** The specification's name, `topology.min_io_size` for a field of an inner struct. */
  readonly name: string;
  /** Bytes from the start of the configuration space. */
  readonly offset: number;
  /** Bytes; a field of 8 is read as two of 4 (virtio 1.2 §4.2.2.2). */
  readonly size: 1 | 2 | 4 | 8;
  /** Whether a driver may write it. */
  readonly writable?: boolean;
  /** May be written at any time, even before there is a driver (virtio 1.2 §5.3.5.1). */
  readonly anytime?: boolean;
  /** Feature bit that makes the field exist; absent for fields that always do. */
  readonly feature?: number;
}

/** Told of a driver's write: the field, and which of its bytes came first. */
export type ConfigWriteListener = (field: ConfigField, byte: number) => void;

/** A device configuration space: little-endian bytes with named fields, and the generation that guards its readers. */
export class ConfigSpace {
  /** Its fields. */
  readonly fields: readonly ConfigField[];
  /** Bytes up to the end of the last field. */
  readonly size: number;
  /** Changes whenever the device changes a field; a transport shows it (virtio 1.2 §2.5, §4.2.2.1). */
  generation = 0;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  readonly #onWrite: ConfigWriteListener;
  /** What drivers read while the space is frozen. */
  #frozen: { readonly bytes: Uint8Array; readonly generation: number } | undefined;

  /** All fields are 0; `onWrite` is told of writes by the driver. */
  constructor(fields: readonly ConfigField[], onWrite: ConfigWriteListener = () => {}) {
    this.fields = fields;
    this.size = fields.reduce((end, field) => Math.max(end, field.offset + field.size), 0);
    this.#bytes = new Uint8Array(this.size);
    this.#view = new DataView(this.#bytes.buffer);
    this.#onWrite = onWrite;
  }

  /** The field that has byte `offset`. */
  fieldAt(offset: number): ConfigField | undefined {
    return this.fields.find((f) => offset >= f.offset && offset < f.offset + f.size);
  }

  /** What a driver reads: unsigned, little endian, any width and alignment; bytes beyond the end are 0. */
  read(offset: number, size: 1 | 2 | 4): number {
    return number(this.#frozen?.bytes ?? this.#bytes, offset, size);
  }

  /** The generation that a driver reads. */
  get shownGeneration(): number {
    return this.#frozen?.generation ?? this.generation;
  }

  /** Whether drivers see what was there at `freeze`. */
  get frozen(): boolean {
    return this.#frozen !== undefined;
  }

  /** From now on drivers see what is there now, whatever the device does: it is suspended (virtio 1.4 §3.4.2). */
  freeze(): void {
    this.#frozen = { bytes: this.#bytes.slice(), generation: this.generation };
  }

  /** Drivers see what the device has set again. */
  thaw(): void {
    this.#frozen = undefined;
  }

  /** A driver's write: reaches the bytes of writable fields only. */
  write(offset: number, size: 1 | 2 | 4, value: number): void {
    const touched = new Set<ConfigField>();
    for (let i = 0; i < size; i++) {
      const field = this.fieldAt(offset + i);
      if (field?.writable !== true) continue;
      this.#bytes[offset + i] = value >>> (8 * i);
      touched.add(field);
    }
    for (const field of touched) this.#onWrite(field, Math.max(0, offset - field.offset));
  }

  /** Value of the field called `name` (of its low 32 bits for one of 8 bytes). */
  get(name: string): number {
    const { offset, size } = this.#field(name);
    return number(this.#bytes, offset, size === 8 ? 4 : size);
  }

  /** Sets a field as the device; a change moves the generation on. Integers up to 2^53. */
  set(name: string, value: number): void {
    const { offset, size } = this.#field(name);
    const before = this.#bytes.slice(offset, offset + size);
    if (size === 8) {
      this.#view.setUint32(offset, value % 0x1_0000_0000, true);
      this.#view.setUint32(offset + 4, Math.floor(value / 0x1_0000_0000), true);
    } else if (size === 4) this.#view.setUint32(offset, value, true);
    else if (size === 2) this.#view.setUint16(offset, value, true);
    else this.#view.setUint8(offset, value);
    if (before.some((byte, i) => byte !== this.#bytes[offset + i])) this.generation = (this.generation + 1) >>> 0;
  }

  #field(name: string): ConfigField {
    const field = this.fields.find((f) => f.name === name);
    if (field === undefined) throw new Error(`virtio config: no field called ${name}`);
    return field;
  }
}

/** Little-endian number; bytes beyond the end are 0. */
function number(bytes: Uint8Array, offset: number, size: number): number {
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (bytes[offset + i] ?? 0);
  return value;
}
