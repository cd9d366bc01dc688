/** Writing WebAssembly modules: instruction bytes with named labels, and the sections around them. */
import { Bytes } from "./bytes.ts";

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

/** The body of one function: parameters are the first locals. */
export class FunctionBody {
  readonly params: readonly ValueType[];
  readonly results: readonly ValueType[];
  readonly #locals: ValueType[] = [];
  readonly #code = new Bytes();
  /** Labels of open blocks, `level` of them: an array that shrinks and grows all the time is slow. */
  readonly #labels: (string | undefined)[] = [];
  #level = 0;
  /** Where in the code there are conditions that seldom hold. */
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
    return this.#code.length;
  }
  /** Takes back what was appended after a length: whole instructions, no conditions or blocks among them. */
  cut(length: number): this {
    this.#code.length = length;
    return this;
  }

  /** Appends plain opcodes. Without a list of them, as all that is called for every instruction. */
  op(first: number, second = -1, third = -1): this {
    this.#code.ops(first, second, third);
    return this;
  }
  i32(value: number): this {
    this.#code.opSigned(Op.I32Const, value | 0);
    return this;
  }
  i64(value: number | bigint): this {
    if (typeof value === "number") this.#code.opSigned(Op.I64Const, value);
    else if (value === BigInt.asIntN(53, value)) this.#code.opSigned(Op.I64Const, Number(value));
    else this.#code.byte(Op.I64Const).signedWide(value);
    return this;
  }
  f64(value: number): this {
    this.#code.byte(Op.F64Const).float64(value);
    return this;
  }
  get(local: number): this {
    this.#code.opUnsigned(Op.LocalGet, local);
    return this;
  }
  set(local: number): this {
    this.#code.opUnsigned(Op.LocalSet, local);
    return this;
  }
  tee(local: number): this {
    this.#code.opUnsigned(Op.LocalTee, local);
    return this;
  }
  /** A load or store; the address is on the stack. */
  memory(code: number, offset: number): this {
    this.#code.opMemory(code, offset);
    return this;
  }
  call(index: number): this {
    this.#code.opUnsigned(Op.Call, index);
    return this;
  }

  /** Calls through the imported table; the index is on top of the stack. */
  callIndirect(type: number): this {
    this.#code.byte(Op.CallIndirect).unsigned(type).byte(0);
    return this;
  }

  /** How many blocks are open: the label of the one that is opened next, for who does not want to name it. */
  get level(): number {
    return this.#level;
  }
  /** Opens a block (a branch to it goes to its end). */
  block(label?: string): this {
    return this.#open(Op.Block, label);
  }
  /** Opens a loop (a branch to it goes to its start). */
  loop(label?: string): this {
    return this.#open(Op.Loop, label);
  }
  /** Opens a conditional without a result; the condition is on the stack. */
  if(): this {
    return this.#open(Op.If, undefined);
  }
  /** The same, for a condition that seldom holds: V8 then keeps what it does out of the way of the rest. */
  ifSeldom(): this {
    this.#seldom.push(this.#code.length);
    return this.if();
  }
  else(): this {
    return this.op(Op.Else);
  }
  end(): this {
    if (this.#level === 0) throw new Error("wasm: no block is open");
    this.#labels[--this.#level] = undefined;
    this.#code.ops(Op.End, -1, -1);
    return this;
  }
  /** Goes to a block by its name, or by the {@linkcode level} at which it was opened. */
  br(label: Label): this {
    this.#code.opUnsigned(Op.Br, this.#depth(label));
    return this;
  }
  brIf(label: Label): this {
    this.#code.opUnsigned(Op.BrIf, this.#depth(label));
    return this;
  }
  /** Goes to `labels[i]`, i on the stack, or to `otherwise`. */
  brTable(labels: readonly Label[], otherwise: Label): this {
    this.#code.byte(Op.BrTable).unsigned(labels.length);
    // Neighbours are often the same.
    let last: Label = otherwise;
    let depth = this.#depth(otherwise);
    for (const label of labels) {
      if (label !== last) depth = this.#depth(last = label);
      this.#code.unsigned(depth);
    }
    this.#code.unsigned(this.#depth(otherwise));
    return this;
  }

  #open(code: number, label: string | undefined): this {
    this.#labels[this.#level++] = label;
    this.#code.ops(code, 0x40, -1);
    return this;
  }
  #depth(label: Label): number {
    const at = typeof label === "number" ? label : this.#labels.lastIndexOf(label);
    if (at < 0 || at >= this.#level) throw new Error(`wasm: no open label ${label}`);
    return this.#level - 1 - at;
  }

  /** Appends the locals: how many runs of the same type there are, and these. */
  #declare(to: Bytes): void {
    const locals = this.#locals;
    let runs = 0;
    for (let i = 0; i < locals.length; i++) if (locals[i] !== locals[i + 1]) runs++;
    to.unsigned(runs);
    for (let i = 0, from = 0; i < locals.length; i++) {
      if (locals[i] === locals[i + 1]) continue;
      to.unsigned(i + 1 - from).byte(locals[i]!);
      from = i + 1;
    }
  }

  /** Appends the body as it goes into the code section. Returns how many bytes of it declare locals. */
  encode(to: Bytes): number {
    if (this.#level > 0) throw new Error(`wasm: ${this.#level} blocks are not closed`);
    const start = to.open();
    this.#declare(to);
    const declared = to.length - start;
    to.all(this.#code).byte(Op.End).close(start);
    return declared;
  }

  /** Whether there is something for the section of branch hints. */
  get hinted(): boolean {
    return this.#seldom.length > 0;
  }
  /** Appends it: places, counted from the `declared` bytes of the locals' declarations; each is unlikely. */
  encodeHints(to: Bytes, declared: number): void {
    to.unsigned(this.#seldom.length);
    for (const at of this.#seldom) to.unsigned(declared + at).byte(1).byte(0);
  }

  /** Gives the code's memory back: nothing can be done with the body any more. */
  free(): void {
    this.#code.free();
  }
}

/** A block by its name or by the level at which it was opened. */
export type Label = string | number;

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
   * table's (0: none). Bodies can be encoded once.
   */
  encode(memoryPages: number, tableSize = 0): Uint8Array<ArrayBuffer> {
    const module = new Bytes();
    const code = new Bytes();
    const functions = this.#functions;
    const declared = functions.map(({ body }) => body.encode(code));
    module.byte(0).byte(0x61).byte(0x73).byte(0x6d).byte(1).byte(0).byte(0).byte(0);
    this.#section(module, 1, () => {
      module.unsigned(functions.length);
      for (const { body: { params, results } } of functions) {
        module.byte(0x60).unsigned(params.length);
        for (const type of params) module.byte(type);
        module.unsigned(results.length);
        for (const type of results) module.byte(type);
      }
    });
    this.#section(module, 2, () => {
      module.unsigned(tableSize === 0 ? 1 : 2);
      module.text("env").text("memory").byte(2).byte(1).unsigned(memoryPages).unsigned(memoryPages);
      if (tableSize !== 0) module.text("env").text("table").byte(1).byte(FUNCREF).byte(0).unsigned(tableSize);
    });
    this.#section(module, 3, () => {
      module.unsigned(functions.length);
      for (let i = 0; i < functions.length; i++) module.unsigned(i);
    });
    this.#section(module, 7, () => {
      const exported = (name: string | undefined) => name !== undefined;
      module.unsigned(functions.reduce((n, { name }) => exported(name) ? n + 1 : n, 0));
      for (let i = 0; i < functions.length; i++) {
        const { name } = functions[i]!;
        if (name !== undefined) module.text(name).byte(0).unsigned(i);
      }
    });
    const hinted = functions.reduce((n, { body }) => body.hinted ? n + 1 : n, 0);
    if (hinted > 0) {
      this.#section(module, 0, () => {
        module.text("metadata.code.branch_hint").unsigned(hinted);
        functions.forEach(({ body }, i) => {
          if (body.hinted) body.encodeHints(module.unsigned(i), declared[i]!);
        });
      });
    }
    this.#section(module, 10, () => module.unsigned(functions.length).all(code));
    const bytes = module.view.slice();
    module.free();
    code.free();
    for (const { body } of functions) body.free();
    return bytes;
  }

  #section(module: Bytes, id: number, contents: () => void): void {
    const start = module.byte(id).open();
    contents();
    module.close(start);
  }
}

const FUNCREF = 0x70;
