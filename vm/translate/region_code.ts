/**
 * A region as WebAssembly: guest registers in locals, loaded on entry and stored on the way out, control structured.
 *
 * The function takes the budget and the number of the entry, and gives what is left of it, times 4, plus how it ended (`RegionExit`); pc and
 * registers are then in the hart's state. The caller makes sure that the budget covers the region's longest way from
 * its entry; at loop heads the code does so itself, so that no step too many is ever done.
 */
import { HART } from "../hart/layout.ts";
import type { Decoded } from "../isa/decode.ts";
import { RM_BITS, RM_WIDTH } from "../isa/rounding.ts";
import { accessGroups } from "./access_groups.ts";
import { emitCsr } from "./csr_code.ts";
import type { OnStack } from "./emit.ts";
import type { Edge, EnterCase, FlowInstruction } from "./flow.ts";
import { fenceKeeps } from "../hart/watching.ts";
import { fenceOrders } from "../watches.ts";
import type { FloatFunctions } from "./float_functions.ts";
import { type Homes, NO_LOCALS, registerHomes } from "./register_homes.ts";
import { RegionEnd, RegionExit } from "./exit.ts";
import { countEnd, ExitSite } from "./exit_site.ts";
import type { IntegerFunctions } from "./integer.ts";
import { KnownPages } from "./known_pages.ts";
import type { RegionCode } from "./region_values.ts";
import type { Node, Structure } from "./structure.ts";
import { type FunctionBody, I32, Op } from "./wasm.ts";

/** The function's second parameter: at which entry it begins; 0 once it has come there. */
const ENTRY = 1;

/** Less than any way needs. */
const NONE_LEFT = -0x8000_0000;

/** From how many targets a jump goes by a table, and how long that may be. */
const TABLE_TARGETS = 4;
const TABLE_LENGTH = 512;
type JumpTarget = { readonly offset: number; readonly to: Edge };

/**
 * Labels of the ways out, outermost first: where `next` says, where the jump goes that left there, to the offset in
 * `site`, there without more ado, at an instruction that is left to somebody else.
 */
const Out = { Dynamic: 0, Jump: 1, Offset: 2, Static: 3, Slow: 4 } as const;
/** After these there is one for each set of registers that goes to the hart's state first. */
const FIRST_SET = 5;

/** Writes the function of a region. */
export class RegionEmitter extends KnownPages {
  readonly #code: RegionCode;
  readonly #structure: Structure;
  /** Address of the entry as a signed number, which may be too large to be exact. */
  readonly #base: number;
  readonly #left = 0;
  readonly #tlb: number;
  readonly #site: ExitSite;
  readonly #next: number;
  readonly #result: number;
  readonly #budget: number;
  /** The budget, while control is passed on to an entry. */
  readonly #aside: number;
  /** Where registers are in each node. */
  readonly #homes: readonly Homes[];
  /** The groups that accesses are in, by node and place. */
  readonly #groups: ReturnType<typeof accessGroups>;
  /** The sets of registers that differ from the hart's state where the region is left. */
  readonly #sets: number[] = [];
  #instruction: FlowInstruction = { offset: 0, decoded: undefined as unknown as Decoded };
  /** Steps of the block from the running instruction on. */
  #rest = 0;
  #blockOffset = 0;
  /** By a node's order: the label of its loop, and of the block that it stands after. */
  readonly #loops: number[] = [];
  readonly #blocks: number[] = [];
  /** Where the code of each instruction begins. */
  readonly places: { readonly offset: number; readonly at: number }[] = [];

  constructor(
    f: FunctionBody,
    integer: IntegerFunctions,
    floats: FloatFunctions,
    code: RegionCode,
    structure: Structure,
  ) {
    const tlb = f.local(I32);
    super(f, integer, code.xlen, code.hart, floats, tlb, code.flat);
    this.#tlb = tlb;
    this.#code = code;
    this.#base = Number(BigInt.asIntN(code.xlen, code.pc));
    this.#structure = structure;
    this.#site = new ExitSite(f);
    this.#result = f.local(I32);
    this.#budget = f.local(I32);
    this.#aside = f.local(I32);
    this.#next = f.local(this.type);
    this.#homes = registerHomes(structure);
    this.#groups = accessGroups(structure.nodes, code.flat !== undefined);
  }

  // --- operands ----------------------------------------------------------------------------------------------------

  rs1(): OnStack {
    return this.#read(this.#instruction.decoded.operands.rs1);
  }
  rs2(): OnStack {
    return this.#read(this.#instruction.decoded.operands.rs2);
  }
  #read(n: number): OnStack {
    return n === 0 ? this.constant(0) : this.pushRegister(n);
  }
  imm(): OnStack {
    return this.constant(this.#instruction.decoded.operands.imm);
  }
  pc(): OnStack {
    return this.#address(this.#instruction.offset);
  }
  #address(offset: number): OnStack {
    if (this.xlen === 32) this.f.i32(this.#base + offset);
    else if (Number.isSafeInteger(this.#base)) this.f.i64(this.#base + offset);
    else this.f.i64(BigInt.asIntN(64, this.#code.pc + BigInt(offset)));
    return "value";
  }
  rd(_value: OnStack): void {
    const n = this.#instruction.decoded.operands.rd;
    if (n === 0) this.f.op(Op.Drop);
    else this.setRegister(n);
  }

  // Floating-point registers stay in memory.
  protected override floatOperand(which: "rs1" | "rs2" | "rs3"): void {
    const { operands } = this.#instruction.decoded;
    const n = which === "rs3" ? operands.imm >>> RM_WIDTH : operands[which];
    this.f.i32(0).memory(Op.I64Load, this.hart + HART.f + 8 * n);
  }
  protected override floatResult(): void {
    const f = this.f;
    f.set(this.floatData).i32(0).get(this.floatData);
    f.memory(Op.I64Store, this.hart + HART.f + 8 * this.#instruction.decoded.operands.rd);
  }
  protected override roundingField(): void {
    this.f.i32(this.#instruction.decoded.operands.imm & RM_BITS);
  }

  // --- control: the structure decides, the row only says what -------------------------------------------------------

  branch(_condition: OnStack): void {}
  jumpRelative(): void {
    this.#link();
  }
  jump(_target: OnStack): void {
    this.f.set(this.#next);
    if (this.#code.ialign === 4) {
      this.f.get(this.#next);
      if (this.xlen === 64) this.f.op(Op.I32WrapI64);
      this.f.i32(2).op(Op.I32And);
      this.leaveIf();
    }
    this.#link();
  }
  #link(): void {
    const { offset, decoded } = this.#instruction;
    if (decoded.operands.rd !== 0) this.rd(this.#address(offset + decoded.length));
  }

  protected override leaveIf(exit: number = RegionExit.Slow): void {
    this.f.ifSeldom();
    this.#leaveAt(this.#instruction.offset, this.#rest, exit);
    this.f.end();
  }
  protected override missIf(kind: "load" | "store"): void {
    this.leaveIf(kind === "load" ? RegionExit.LoadMiss : RegionExit.StoreMiss);
  }
  #leaveAt(offset: number, rest: number, exit: number): void {
    this.#site.set(offset, exit, offset - this.#blockOffset, rest);
    this.#leave(Out.Slow);
  }
  protected override noteAccess(): void {}
  override fence(): void {
    if (!this.#code.watch) return;
    const { imm } = this.#instruction.decoded.operands;
    for (const order of fenceOrders) if (fenceKeeps(imm, order)) this.countFence(order, () => this.f.i32(1));
  }
  protected override noteOrdered(): void {
    if (!this.#code.watch || this.#instruction.decoded.operands.imm === 0) return;
    for (const order of fenceOrders) this.countFence(order, () => this.f.i32(1));
  }

  override csr(operation: "write" | "set" | "clear", source: "rs1" | "uimm"): void {
    const { decoded } = this.#instruction;
    const { rd, rs1 } = decoded.operands;
    const code = this.#code.csr(decoded);
    if (code === undefined) return super.csr(operation, source);
    const emitter = {
      f: this.f,
      xlen: this.xlen,
      hart: this.hart,
      old: this.addr,
      next: this.data,
      rs1: () => this.rs1(),
      rd: () => this.rd("value"),
      leaveIf: () => this.leaveIf(),
      dueIf: () => this.leaveIf(),
    };
    const writes = operation === "write" || rs1 !== 0;
    emitCsr(emitter, code, operation, { immediate: source === "uimm" ? rs1 : undefined, writes, rd: rd !== 0 });
  }

  // --- the function --------------------------------------------------------------------------------------------------

  emit(): void {
    const f = this.f;
    this.move(NO_LOCALS, this.#homes[this.#structure.root.order]!);
    f.i32(0).memory(Op.I32Load, this.hart + HART.tlb).set(this.#tlb);
    f.get(this.#left).set(this.#budget);
    f.block().block().block().block().block();
    for (const { dirty } of this.#homes) if (dirty !== 0 && !this.#sets.includes(dirty)) this.#sets.push(dirty);
    for (const _ of this.#sets) f.block();
    this.#tree(this.#structure.root);
    for (const set of this.#sets.toReversed()) {
      f.end();
      this.storeHomes(set);
      this.#site.push("exit").brIf(Out.Slow).br(Out.Static);
    }
    f.end();
    this.#slowTail();
    f.br(Out.Offset).end();
    this.#site.push("rest").set(this.host).end();
    countEnd(f, this.hart, () => f.get(this.host).i32(2).op(Op.I32Shl));
    this.#address(0);
    this.#site.pushOffset(this.xlen);
    this.plain("Add");
    f.set(this.#next).br(Out.Dynamic).end();
    countEnd(f, this.hart, () => f.i32(4 * RegionEnd.Jump));
    f.end();
    f.i32(0).get(this.#next).memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart + HART.pc);
    const steps = this.hart + HART.regionSteps;
    f.i32(0).i32(0).memory(Op.I64Load, steps);
    f.get(this.#budget).get(this.#left).op(Op.I32Sub, Op.I64ExtendI32U, Op.I64Add).memory(Op.I64Store, steps);
    f.get(this.#left).i32(2).op(Op.I32Shl).get(this.#result).op(Op.I32Or);
  }

  /** At an instruction that is left to somebody else. */
  #slowTail(): void {
    const f = this.f;
    this.#site.push("exit").set(this.#result);
    // Where the TLB was not missed nobody looks at it.
    f.i32(0).get(this.addr).memory(this.xlen === 64 ? Op.I64Store : Op.I32Store, this.hart + HART.miss);
    // For the report on a guest's death: this much straight code was done last.
    f.i32(0);
    this.#site.push("halfwords").i32(2).op(Op.I32Shl).i32(1).op(Op.I32Or);
    f.memory(Op.I32Store, this.hart + HART.blockBytes);
    f.get(this.#result).i32(RegionExit.Slow).op(Op.I32GtS).i32(RegionEnd.Instruction).op(Op.I32Add).set(this.host);
    f.get(this.#left);
    this.#site.push("rest").op(Op.I32Add).set(this.#left);
  }

  /** Leaves for good: what is in locals only goes to the hart's state first. */
  #leave(way: typeof Out.Slow | typeof Out.Static): void {
    const { dirty } = this.here;
    this.f.br(dirty === 0 ? way : FIRST_SET + this.#sets.indexOf(dirty));
  }
  /** What is emitted now is this node's. */
  #at({ order }: Node): void {
    this.here = this.#homes[order]!;
  }

  /** A block, and all that it dominates. */
  #tree(node: Node): void {
    const { f } = this;
    const { end, offset } = node.block;
    this.#at(node);
    for (const after of node.after) this.#openFor(after);
    if (node.header) {
      this.#loops[node.order] = f.level;
      f.loop();
    }
    for (const merge of node.merges) this.#openFor(merge);
    const gate = end.kind === "enter" ? end.cases : undefined;
    const inner = node.header && node !== this.#structure.root;
    if (gate && !inner) this.#enter(node, gate);
    if (node.header && !this.#checksNext(node)) {
      // The entry's budget is the caller's affair the first time; a loop comes back here by itself.
      this.#checkBudget(node.longest, offset, () => gate && inner && this.#enter(node, gate));
    }
    this.#at(node);
    this.#body(node);
    this.#endAll(node.merges);
    if (node.header) f.end();
    this.#endAll(node.after);
  }

  /** Opens the block at whose end a node stands. */
  #openFor(node: Node): void {
    this.#blocks[node.order] = this.f.level;
    this.f.block();
  }

  /** Leaves where the budget does not cover so much, unless what `first` emits goes elsewhere. */
  #checkBudget(longest: number, offset: number, first?: () => void): void {
    this.f.get(this.#left).i32(longest).op(Op.I32LtS).ifSeldom();
    first?.();
    this.#exitTo(offset, RegionEnd.Budget);
    this.f.end();
  }

  /**
   * Passes control on that comes from outside to an entry which is not the first. On its way there through the heads of
   * loops the budget is kept aside, and none is left: a loop that turns looks at the budget anyway, at nothing else.
   */
  #enter(node: Node, cases: readonly EnterCase[]): void {
    const f = this.f.get(ENTRY);
    // Targets of edges that were cut are come to again and again; loops are entered only from outside.
    if (cases.every(({ entry }) => this.#structure.entries[entry]!.header)) f.ifSeldom();
    else f.if();
    if (node === this.#structure.root) f.get(this.#left).set(this.#aside).i32(NONE_LEFT).set(this.#left);
    const labels: number[] = [];
    const other = f.level;
    for (const way of cases) {
      labels[way.entry] = f.level;
      f.block();
    }
    f.get(ENTRY).brTable(Array.from(labels, (found) => found ?? other), other);
    for (const { last, to } of cases.toReversed()) {
      f.end();
      if (last) f.i32(0).set(ENTRY).get(this.#aside).set(this.#left);
      this.#go(node, to);
    }
    f.end();
    this.#at(node);
  }

  /** Whether a header without instructions goes to another one, which looks at the budget. */
  #checksNext({ block: { instructions, end } }: Node): boolean {
    if (instructions.length > 0 || end.kind !== "goto" || !("block" in end.to)) return false;
    return this.#structure.nodes[end.to.block.order]!.header;
  }

  /** Ends the blocks of nodes, the earliest of which was opened last, and puts each node where its block ends. */
  #endAll(nodes: readonly Node[]): void {
    for (const node of nodes.toReversed()) {
      this.f.end();
      this.#tree(node);
    }
  }

  #body(node: Node): void {
    const f = this.f;
    const { instructions, end, offset } = node.block;
    this.#blockOffset = offset;
    this.beginBlock(node.order, this.#groups[node.order]!);
    f.get(this.#left).i32(instructions.length).op(Op.I32Sub).set(this.#left);
    for (const [i, instruction] of instructions.entries()) {
      this.#instruction = instruction;
      this.places.push({ offset: instruction.offset, at: f.length });
      this.#rest = instructions.length - i;
      this.begin(i);
      instruction.decoded.base.run!(this);
      if (this.leaves) throw new Error(`translator: ${instruction.decoded.row.name} cannot be emitted`);
    }
    if (end.kind === "branch") {
      f.if();
      this.#go(node, end.taken);
      f.else();
      this.#go(node, end.next);
      f.end();
      f.op(Op.Unreachable);
    } else if (end.kind === "goto") {
      this.#go(node, end.to);
    } else if (end.kind === "enter") {
      this.#go(node, end.next);
    } else if (end.kind === "leave") {
      this.#leaveAt(end.at, 0, RegionExit.Slow);
    } else {
      this.#jumpEnd(node, end.targets);
    }
  }

  /** After `jalr`: to where it is expected to go, if it does, else out. */
  #jumpEnd(node: Node, targets: readonly JumpTarget[]): void {
    const f = this.f;
    if (targets.length >= TABLE_TARGETS && this.#jumpByTable(node, targets)) return;
    for (const { offset, to } of targets) {
      f.get(this.#next);
      this.#address(offset);
      this.plain("Eq");
      f.if();
      this.#go(node, to);
      f.end();
    }
    this.#jumpOut(node);
  }

  #jumpOut(node: Node): void {
    this.storeHomes(this.#homes[node.order]!.dirty);
    this.f.br(Out.Jump);
  }

  /** The same by a table of all halfwords from the first target to the last, unless that is too long. */
  #jumpByTable(node: Node, targets: readonly JumpTarget[]): boolean {
    const f = this.f;
    const offsets = targets.map(({ offset }) => offset);
    const low = Math.min(...offsets);
    const length = (Math.max(...offsets) - low) / 2 + 1;
    if (length > TABLE_LENGTH) return false;
    const out = f.level;
    f.block();
    const first = f.level;
    for (const _ of targets) f.block();
    f.get(this.#next);
    this.#address(low);
    this.plain("Sub");
    // What lies beyond 32 bits would be lost.
    if (this.xlen === 64) {
      f.tee(this.data).i64(2 * length).op(Op.I64GeU).ifSeldom();
      f.br(out).end();
      f.get(this.data).op(Op.I32WrapI64);
    }
    f.i32(1).op(Op.I32ShrU);
    const labels = new Array<number>(length).fill(out);
    offsets.forEach((offset, i) => labels[(offset - low) / 2] = first + i);
    f.brTable(labels, out);
    for (const { to } of targets.toReversed()) {
      f.end();
      this.#go(node, to);
    }
    f.end();
    this.#jumpOut(node);
    return true;
  }

  #go(from: Node, edge: Edge): void {
    this.#at(from);
    if (!("block" in edge)) return this.#exitTo(edge.exit);
    if (edge.entry !== undefined) {
      const entry = this.#structure.entries[edge.entry]!;
      this.#checkBudget(entry.longest, entry.block.offset);
      this.f.i32(edge.entry).set(ENTRY);
    }
    const to = this.#structure.nodes[edge.block.order]!;
    this.move(this.here, this.#homes[to.order]!);
    if (to.order <= from.order) this.f.br(this.#loops[to.order]!);
    else if (to.merge) this.f.br(this.#blocks[to.order]!);
    else this.#tree(to);
  }

  #exitTo(offset: number, end: number = RegionEnd.Code): void {
    this.#site.set(offset, RegionExit.Continue, 0, end);
    this.#leave(Out.Static);
  }
}
