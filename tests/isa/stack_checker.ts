/**
 * A user of the rows that computes nothing and only checks how a row uses the alphabet (see `Sem`): every value is used
 * exactly once and in the order in which it was made, and nothing is read after an effect. A row that keeps these rules
 * can be written out as stack code as it runs.
 */
import type { BitSem } from "../../vm/isa/bit_sem.ts";
import type { Row, Sem, SystemOperation, Xlen } from "../../vm/isa/row.ts";

/** A value or truth value on the stack. */
interface Token {
  readonly kind: "value" | "truth";
  readonly from: string;
}

class Checker implements Sem<Token, Token> {
  readonly xlen: Xlen;
  readonly #stack: Token[] = [];
  #effects = 0;

  constructor(xlen: Xlen) {
    this.xlen = xlen;
  }

  /** To be called when the row has run. */
  finish(): void {
    if (this.#stack.length > 0) throw new Error(`${this.#stack.at(-1)!.from} is made and not used`);
    if (this.#effects === 0) throw new Error("the row has no effect");
  }

  #push(from: string, kind: "value" | "truth" = "value"): Token {
    if (this.#effects > 0) throw new Error(`${from} comes after an effect`);
    const token = { kind, from };
    this.#stack.push(token);
    return token;
  }

  /** Takes `tokens` off the stack: they must be its top, the last one uppermost. */
  #use(user: string, kinds: readonly Token["kind"][], ...tokens: readonly Token[]): void {
    const top = this.#stack.splice(Math.max(0, this.#stack.length - tokens.length));
    tokens.forEach((token, i) => {
      if (top[i] !== token) {
        throw new Error(`${user} uses ${token.from} where ${top[i]?.from ?? "nothing"} is on the stack`);
      }
      if (token.kind !== kinds[i]) throw new Error(`${user} needs a ${kinds[i]}, got the ${token.kind} ${token.from}`);
    });
  }

  #effect(name: string): void {
    if (this.#stack.length > 0) throw new Error(`${name} happens while ${this.#stack.at(-1)!.from} still waits`);
    this.#effects++;
  }

  #unary(name: string, a: Token): Token {
    this.#use(name, ["value"], a);
    return this.#push(name);
  }
  #binary(name: string, a: Token, b: Token, result: "value" | "truth" = "value"): Token {
    this.#use(name, ["value", "value"], a, b);
    return this.#push(name, result);
  }

  rs1 = (): Token => this.#push("rs1");
  rs2 = (): Token => this.#push("rs2");
  imm = (): Token => this.#push("imm");
  pc = (): Token => this.#push("pc");
  readonly bits: BitSem<Token> = {
    clz: (a) => this.#unary("clz", a),
    ctz: (a) => this.#unary("ctz", a),
    cpop: (a) => this.#unary("cpop", a),
    rol: (a, b) => this.#binary("rol", a, b),
    ror: (a, b) => this.#binary("ror", a, b),
    rev8: (a) => this.#unary("rev8", a),
    brev8: (a) => this.#unary("brev8", a),
    orcb: (a) => this.#unary("orcb", a),
    zip: (a) => this.#unary("zip", a),
    unzip: (a) => this.#unary("unzip", a),
    clmul: (a, b) => this.#binary("clmul", a, b),
    clmulr: (a, b) => this.#binary("clmulr", a, b),
    xperm: (a, b) => this.#binary("xperm", a, b),
  };

  constant = (value: number): Token => this.#push(`constant ${value}`);

  add = (a: Token, b: Token): Token => this.#binary("add", a, b);
  sub = (a: Token, b: Token): Token => this.#binary("sub", a, b);
  and = (a: Token, b: Token): Token => this.#binary("and", a, b);
  or = (a: Token, b: Token): Token => this.#binary("or", a, b);
  xor = (a: Token, b: Token): Token => this.#binary("xor", a, b);
  sll = (a: Token, b: Token): Token => this.#binary("sll", a, b);
  srl = (a: Token, b: Token): Token => this.#binary("srl", a, b);
  sra = (a: Token, b: Token): Token => this.#binary("sra", a, b);
  mul = (a: Token, b: Token): Token => this.#binary("mul", a, b);
  mulh = (a: Token, b: Token): Token => this.#binary("mulh", a, b);
  mulhsu = (a: Token, b: Token): Token => this.#binary("mulhsu", a, b);
  mulhu = (a: Token, b: Token): Token => this.#binary("mulhu", a, b);
  div = (a: Token, b: Token): Token => this.#binary("div", a, b);
  divu = (a: Token, b: Token): Token => this.#binary("divu", a, b);
  rem = (a: Token, b: Token): Token => this.#binary("rem", a, b);
  remu = (a: Token, b: Token): Token => this.#binary("remu", a, b);
  sext = (a: Token): Token => this.#unary("sext", a);
  zext = (a: Token): Token => this.#unary("zext", a);
  eq = (a: Token, b: Token): Token => this.#binary("eq", a, b, "truth");
  ne = (a: Token, b: Token): Token => this.#binary("ne", a, b, "truth");
  lt = (a: Token, b: Token): Token => this.#binary("lt", a, b, "truth");
  ltu = (a: Token, b: Token): Token => this.#binary("ltu", a, b, "truth");
  ge = (a: Token, b: Token): Token => this.#binary("ge", a, b, "truth");
  geu = (a: Token, b: Token): Token => this.#binary("geu", a, b, "truth");

  flag(condition: Token): Token {
    this.#use("flag", ["truth"], condition);
    return this.#push("flag");
  }
  select(a: Token, b: Token, condition: Token): Token {
    this.#use("select", ["value", "value", "truth"], a, b, condition);
    return this.#push("select");
  }
  let(value: Token): () => Token {
    this.#use("let", ["value"], value);
    return () => this.#push("let");
  }

  load = (addr: Token): Token => this.#unary("load", addr);
  loadReserved = (addr: Token): Token => this.#unary("loadReserved", addr);
  storeConditional = (addr: Token, value: Token): Token => this.#binary("storeConditional", addr, value);

  float(): void {
    if (this.#effects > 0 || this.#stack.length > 0) throw new Error("float is not the first letter");
  }
  frs1 = (): Token => this.#push("frs1");
  frs2 = (): Token => this.#push("frs2");
  frs3 = (): Token => this.#push("frs3");
  frs1Bits = (): Token => this.#push("frs1Bits");
  frs2Bits = (): Token => this.#push("frs2Bits");
  fadd = (a: Token, b: Token): Token => this.#binary("fadd", a, b);
  fsub = (a: Token, b: Token): Token => this.#binary("fsub", a, b);
  fmul = (a: Token, b: Token): Token => this.#binary("fmul", a, b);
  fdiv = (a: Token, b: Token): Token => this.#binary("fdiv", a, b);
  fmin = (a: Token, b: Token): Token => this.#binary("fmin", a, b);
  fmax = (a: Token, b: Token): Token => this.#binary("fmax", a, b);
  fsgnj = (a: Token, b: Token): Token => this.#binary("fsgnj", a, b);
  feq = (a: Token, b: Token): Token => this.#binary("feq", a, b, "truth");
  flt = (a: Token, b: Token): Token => this.#binary("flt", a, b, "truth");
  fle = (a: Token, b: Token): Token => this.#binary("fle", a, b, "truth");
  fsqrt = (a: Token): Token => this.#unary("fsqrt", a);
  fclass = (a: Token): Token => this.#unary("fclass", a);
  fconvert = (a: Token): Token => this.#unary("fconvert", a);
  fromFloat = (a: Token): Token => this.#unary("fromFloat", a);
  toFloat = (a: Token): Token => this.#unary("toFloat", a);
  floatToBits = (a: Token): Token => this.#unary("floatToBits", a);
  bitsToFloat = (a: Token): Token => this.#unary("bitsToFloat", a);
  fload = (addr: Token): Token => this.#unary("fload", addr);
  fma(a: Token, b: Token, c: Token): Token {
    this.#use("fma", ["value", "value", "value"], a, b, c);
    return this.#push("fma");
  }
  frd(value: Token): void {
    this.#use("frd", ["value"], value);
    this.#effect("frd");
  }
  fstore(addr: Token, value: Token): void {
    this.#use("fstore", ["value", "value"], addr, value);
    this.#effect("fstore");
  }

  rd(value: Token): void {
    this.#use("rd", ["value"], value);
    this.#effect("rd");
  }
  store(addr: Token, value: Token): void {
    this.#use("store", ["value", "value"], addr, value);
    this.#effect("store");
  }
  amo(addr: Token, _size: number, combine: (old: () => Token) => Token): void {
    this.#use("amo", ["value"], addr);
    this.#use("amo", ["value"], combine(() => this.#push("old")));
    this.#effect("amo");
  }
  branch(condition: Token): void {
    this.#use("branch", ["truth"], condition);
    this.#effect("branch");
  }
  jumpRelative(): void {
    this.#effect("jumpRelative");
  }
  jump(target: Token): void {
    this.#use("jump", ["value"], target);
    this.#effect("jump");
  }
  csr(): void {
    this.#effect("csr");
  }
  hint(): void {
    this.#effect("hint");
  }
  fence(): void {
    this.#effect("fence");
  }
  system(operation: SystemOperation): void {
    this.#effect(operation);
  }
}

/** Throws, with what is wrong, if `run` does not use the alphabet as it must. */
export function checkDiscipline(run: NonNullable<Row["run"]>, xlen: Xlen): void {
  const checker = new Checker(xlen);
  run(checker);
  checker.finish();
}
