/** Writing WebAssembly modules: instruction bytes with named labels, and the sections around them. */

/** Value types. */
export const I32 = 0x7f;
export const I64 = 0x7e;
export const F64 = 0x7c;
export type ValueType = typeof I32 | typeof I64 | typeof F64;

/** Opcodes by their names in the WebAssembly specification. */
export const Op = {
  Unreachable: 0x00,
  Block: 0x02,
  Loop: 0x03,
  If: 0x04,
  Else: 0x05,
  End: 0x0b,
  Br: 0x0c,
  BrIf: 0x0d,
  BrTable: 0x0e,
  Return: 0x0f,
  Call: 0x10,
  CallIndirect: 0x11,
  Drop: 0x1a,
  Select: 0x1b,
  LocalGet: 0x20,
  LocalSet: 0x21,
  LocalTee: 0x22,
  I32Load: 0x28,
  I64Load: 0x29,
  I32Load8S: 0x2c,
  I32Load8U: 0x2d,
  I32Load16S: 0x2e,
  I32Load16U: 0x2f,
  I64Load8S: 0x30,
  I64Load8U: 0x31,
  I64Load16S: 0x32,
  I64Load16U: 0x33,
  I64Load32S: 0x34,
  I64Load32U: 0x35,
  I32Store: 0x36,
  I64Store: 0x37,
  I32Store8: 0x3a,
  I32Store16: 0x3b,
  I64Store8: 0x3c,
  I64Store16: 0x3d,
  I64Store32: 0x3e,
  I32Const: 0x41,
  I64Const: 0x42,
  F64Const: 0x44,
  I32Eqz: 0x45,
  I32Eq: 0x46,
  I32Ne: 0x47,
  I32LtS: 0x48,
  I32LtU: 0x49,
  I32GtS: 0x4a,
  I32GtU: 0x4b,
  I32GeS: 0x4e,
  I32GeU: 0x4f,
  I64Eqz: 0x50,
  I64Eq: 0x51,
  I64Ne: 0x52,
  I64LtS: 0x53,
  I64LtU: 0x54,
  I64GtS: 0x55,
  I64GtU: 0x56,
  I64GeS: 0x59,
  I64GeU: 0x5a,
  I32Clz: 0x67,
  I32Ctz: 0x68,
  I32Popcnt: 0x69,
  I32Add: 0x6a,
  I32Sub: 0x6b,
  I32Mul: 0x6c,
  I32DivS: 0x6d,
  I32DivU: 0x6e,
  I32RemS: 0x6f,
  I32RemU: 0x70,
  I32And: 0x71,
  I32Or: 0x72,
  I32Xor: 0x73,
  I32Shl: 0x74,
  I32ShrS: 0x75,
  I32ShrU: 0x76,
  I32Rotl: 0x77,
  I32Rotr: 0x78,
  I64Clz: 0x79,
  I64Ctz: 0x7a,
  I64Popcnt: 0x7b,
  I64Add: 0x7c,
  I64Sub: 0x7d,
  I64Mul: 0x7e,
  I64DivS: 0x7f,
  I64DivU: 0x80,
  I64RemS: 0x81,
  I64RemU: 0x82,
  I64And: 0x83,
  I64Or: 0x84,
  I64Xor: 0x85,
  I64Shl: 0x86,
  I64ShrS: 0x87,
  I64ShrU: 0x88,
  I64Rotl: 0x89,
  I64Rotr: 0x8a,
  F64Eq: 0x61,
  F64Ne: 0x62,
  F64Lt: 0x63,
  F64Gt: 0x64,
  F64Le: 0x65,
  F64Ge: 0x66,
  F64Abs: 0x99,
  F64Ceil: 0x9b,
  F64Floor: 0x9c,
  F64Trunc: 0x9d,
  F64Nearest: 0x9e,
  F64Sqrt: 0x9f,
  F64Add: 0xa0,
  F64Sub: 0xa1,
  F64Mul: 0xa2,
  F64Div: 0xa3,
  F64Copysign: 0xa6,
  I32WrapI64: 0xa7,
  I64ExtendI32S: 0xac,
  I64ExtendI32U: 0xad,
  F32ConvertI64S: 0xb4,
  F32ConvertI64U: 0xb5,
  F32DemoteF64: 0xb6,
  F64ConvertI64S: 0xb9,
  F64ConvertI64U: 0xba,
  F64PromoteF32: 0xbb,
  I32ReinterpretF32: 0xbc,
  I64ReinterpretF64: 0xbd,
  F32ReinterpretI32: 0xbe,
  F64ReinterpretI64: 0xbf,
  I32Extend8S: 0xc0,
  I32Extend16S: 0xc1,
  I64Extend8S: 0xc2,
  I64Extend16S: 0xc3,
  I64Extend32S: 0xc4,
} as const;

/** Opcodes of two bytes: saturating conversions. */
export const SaturatingOp = {
  I32TruncSatF64S: 2,
  I32TruncSatF64U: 3,
  I64TruncSatF64S: 6,
  I64TruncSatF64U: 7,
} as const;

/** Unsigned LEB128. */
export function uleb(n: number): number[] {
  const out: number[] = [];
  let rest = n;
  do {
    const byte = rest % 128;
    rest = Math.floor(rest / 128);
    out.push(rest > 0 ? byte | 128 : byte);
  } while (rest > 0);
  return out;
}

/** Signed LEB128 of a 32-bit or small number, or of a 64-bit bigint. */
export function sleb(n: number | bigint): number[] {
  const out: number[] = [];
  let rest = BigInt(n);
  for (;;) {
    const byte = Number(rest & 127n);
    rest >>= 7n;
    const done = (rest === 0n && (byte & 64) === 0) || (rest === -1n && (byte & 64) !== 0);
    out.push(done ? byte : byte | 128);
    if (done) return out;
  }
}

/** The body of one function: parameters are the first locals. */
export class FunctionBody {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly #locals: ValueType[] = [];
  readonly #bytes: number[] = [];
  readonly #labels: (string | undefined)[] = [];
  /** Where in the bytes there are conditions that seldom hold. */
  readonly #seldom: number[] = [];

  constructor(params: readonly ValueType[], results: readonly ValueType[]) {
    this.params = params;
    this.results = results;
  }

  /** A new local; returns its index. */
  local(type: ValueType): number {
    this.#locals.push(type);
    return this.params.length + this.#locals.length - 1;
  }

  /** How many bytes of code there are. */
  get length(): number {
    return this.#bytes.length;
  }
  /** Takes back what was appended after a length: whole instructions, no conditions or blocks among them. */
  cut(length: number): this {
    this.#bytes.length = length;
    return this;
  }

  /** Appends plain opcodes. */
  op(...codes: number[]): this {
    for (const code of codes) this.#bytes.push(code);
    return this;
  }
  /** Appends an unsigned number below 2^31 or 2^32 as LEB128, without a list in between: this is called very often. */
  #unsigned(n: number): this {
    let rest = n >>> 0;
    while (rest > 127) {
      this.#bytes.push((rest & 127) | 128);
      rest >>>= 7;
    }
    this.#bytes.push(rest);
    return this;
  }
  /** Appends a 32-bit number as signed LEB128. */
  #signed(n: number): this {
    let rest = n;
    while (rest < -64 || rest > 63) {
      this.#bytes.push((rest & 127) | 128);
      rest >>= 7;
    }
    this.#bytes.push(rest & 127);
    return this;
  }
  i32(value: number): this {
    return this.op(Op.I32Const).#signed(value | 0);
  }
  i64(value: number | bigint): this {
    this.op(Op.I64Const);
    if (typeof value === "number" && value === (value | 0)) return this.#signed(value);
    return this.op(...sleb(value));
  }
  f64(value: number): this {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setFloat64(0, value, true);
    this.#bytes.push(Op.F64Const, ...bytes);
    return this;
  }
  get(local: number): this {
    return this.op(Op.LocalGet).#unsigned(local);
  }
  set(local: number): this {
    return this.op(Op.LocalSet).#unsigned(local);
  }
  tee(local: number): this {
    return this.op(Op.LocalTee).#unsigned(local);
  }
  /** A load or store; the address is on the stack. */
  memory(code: number, offset: number): this {
    return this.op(code, 0).#unsigned(offset);
  }
  call(index: number): this {
    return this.op(Op.Call).#unsigned(index);
  }

  /** Calls through the imported table; the index is on top of the stack. */
  callIndirect(type: number): this {
    this.#bytes.push(Op.CallIndirect, ...uleb(type), 0);
    return this;
  }

  /** Opens a block (a branch to it goes to its end). */
  block(label?: string): this {
    return this.#open(Op.Block, label);
  }
  /** Opens a loop (a branch to it goes to its start). */
  loop(label: string): this {
    return this.#open(Op.Loop, label);
  }
  /** Opens a conditional without a result; the condition is on the stack. */
  if(): this {
    return this.#open(Op.If, undefined);
  }
  /** The same, for a condition that seldom holds: V8 then keeps what it does out of the way of the rest. */
  ifSeldom(): this {
    this.#seldom.push(this.#bytes.length);
    return this.if();
  }
  else(): this {
    return this.op(Op.Else);
  }
  end(): this {
    this.#labels.pop();
    return this.op(Op.End);
  }
  br(label: string): this {
    return this.op(Op.Br).#unsigned(this.#depth(label));
  }
  brIf(label: string): this {
    return this.op(Op.BrIf).#unsigned(this.#depth(label));
  }
  /** Goes to `labels[i]`, i on the stack, or to `otherwise`. */
  brTable(labels: readonly string[], otherwise: string): this {
    const places = new Map(this.#labels.map((l, i) => [l, i]));
    const depths = labels.flatMap((l) => uleb(this.#labels.length - 1 - (places.get(l) ?? NaN)));
    this.#bytes.push(Op.BrTable, ...uleb(labels.length), ...depths, ...uleb(this.#depth(otherwise)));
    return this;
  }

  #open(code: number, label: string | undefined): this {
    this.#labels.push(label);
    return this.op(code, 0x40);
  }
  #depth(label: string): number {
    const at = this.#labels.lastIndexOf(label);
    if (at < 0) throw new Error(`wasm: no open label ${label}`);
    return this.#labels.length - 1 - at;
  }

  #declarations(): number[] {
    return uleb(this.#locals.length).concat(...this.#locals.map((type) => [1, type]));
  }

  /** What goes into the section of branch hints: places, counted from the locals' declarations; each is unlikely. */
  encodeHints(): number[] {
    const first = this.#declarations().length;
    return this.#seldom.length === 0
      ? []
      : uleb(this.#seldom.length).concat(...this.#seldom.map((at) => [...uleb(first + at), 1, 0]));
  }

  /** The body as it goes into the code section. */
  encode(): number[] {
    if (this.#labels.length > 0) throw new Error(`wasm: ${this.#labels.length} blocks are not closed`);
    const locals = this.#declarations();
    // `concat` copies arrays of bytes whole; spreading them, byte by byte, took milliseconds of every start.
    return uleb(locals.length + this.#bytes.length + 1).concat(locals, this.#bytes, Op.End);
  }
}

/** A module that imports one memory as `env.memory`, perhaps a function table as `env.table`, and exports functions. */
export class ModuleWriter {
  readonly #functions: { readonly body: FunctionBody; name: string | undefined }[] = [];

  /** Adds a function, which may still be written; returns its index, for `call`, and that of its type. */
  add(body: FunctionBody, exportName?: string): number {
    this.#functions.push({ body, name: exportName });
    return this.#functions.length - 1;
  }

  /** Exports a function that was added without a name. */
  export(index: number, name: string): void {
    this.#functions[index]!.name = name;
  }

  /**
   * The module's bytes; `memoryPages` is the imported memory's size, initial and maximum, `tableSize` the imported
   * table's (0: none).
   */
  encode(memoryPages: number, tableSize = 0): Uint8Array<ArrayBuffer> {
    const types = this.#functions.map(({ body }) => [
      0x60,
      ...uleb(body.params.length),
      ...body.params,
      ...uleb(body.results.length),
      ...body.results,
    ]);
    const exported = this.#functions.flatMap(({ name }, i) => name === undefined ? [] : [{ name, i }]);
    let bytes = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
    const section = (id: number, content: number[]) => {
      bytes = bytes.concat(id, uleb(content.length), content);
    };
    section(1, [...uleb(types.length), ...types.flat()]);
    const memory = [...text("env"), ...text("memory"), 2, 1, ...uleb(memoryPages), ...uleb(memoryPages)];
    const table = tableSize === 0 ? [] : [...text("env"), ...text("table"), 1, FUNCREF, 0, ...uleb(tableSize)];
    section(2, [tableSize === 0 ? 1 : 2, ...memory, ...table]);
    section(3, [...uleb(types.length), ...types.flatMap((_, i) => uleb(i))]);
    section(7, [...uleb(exported.length), ...exported.flatMap(({ name, i }) => [...text(name), 0, ...uleb(i)])]);
    const hints = this.#functions.map(({ body }, i) => ({ i, bytes: body.encodeHints() })).filter((h) =>
      h.bytes.length > 0
    );
    if (hints.length > 0) {
      section(0, [
        ...text("metadata.code.branch_hint"),
        ...uleb(hints.length),
        ...hints.flatMap(({ i, bytes }) => uleb(i).concat(bytes)),
      ]);
    }
    section(10, uleb(this.#functions.length).concat(...this.#functions.map(({ body }) => body.encode())));
    return new Uint8Array(bytes);
  }
}

const FUNCREF = 0x70;

function text(value: string): number[] {
  const bytes = new TextEncoder().encode(value);
  return [...uleb(bytes.length), ...bytes];
}
