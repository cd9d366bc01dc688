/**
 * Loads and stores behind a TLB that lie close to each other: where straight code does several off the same register, the
 * first one looks into the TLB and the others only ask whether they are in the same page. What a region does changes
 * neither page tables nor the TLB: it leaves for that.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import type { FlowInstruction } from "./flow.ts";
import { RegionValues } from "./region_values.ts";
import { I32, Op } from "./wasm.ts";

/** Most pages remembered at a time: they take registers of the host. */
const PAGES = 3;

/** A page that an access was found in: its virtual address, and host minus virtual address. */
interface KnownPage {
  readonly tag: number;
  readonly addend: number;
}

/** An access that has others to follow it, or follows one. */
interface Member {
  /** Which of the pages that are remembered. */
  readonly page: number;
  readonly follows: boolean;
}

/** Accesses of one kind off one register while it stays as it is, by their places in the block. */
type Group = number[];

/** Remembers pages within straight code. */
export abstract class KnownPages extends RegionValues {
  /** By the place of an instruction in the block. */
  #members: ReadonlyMap<number, Member> = new Map();
  #running = 0;
  readonly #pages: KnownPage[] = [];

  /** Must be called before the instructions of a block. */
  protected enterBlock(instructions: readonly FlowInstruction[]): void {
    this.beginBlock();
    this.#members = membersOf(instructions);
  }

  /** Must be called before each instruction, with its place in the block. */
  protected beginAt(place: number): void {
    this.begin();
    this.#running = place;
  }

  protected override probe(tag: number, size: number, aligned: boolean): void {
    const member = aligned || this.isFlat ? undefined : this.#members.get(this.#running);
    if (member === undefined) return super.probe(tag, size, aligned);
    const { f } = this;
    const page = this.#pages[member.page] ??= { tag: f.local(this.type), addend: f.local(I32) };
    if (!member.follows) {
      super.probe(tag, size, aligned);
      return this.#remember(page);
    }
    f.get(this.addr).get(page.tag);
    this.plain("Xor");
    this.constant(PAGE_SIZE - size);
    this.plain("GtU");
    f.ifSeldom();
    super.probe(tag, size, aligned);
    this.#remember(page);
    f.end();
    this.#pushLowAddress();
    f.get(page.addend).op(Op.I32Add).set(this.host);
  }

  /** The page of the access that was found last. */
  #remember({ tag, addend }: KnownPage): void {
    this.f.get(this.addr);
    this.constant(-PAGE_SIZE);
    this.plain("And");
    this.f.set(tag).get(this.host);
    this.#pushLowAddress();
    this.f.op(Op.I32Sub).set(addend);
  }
  #pushLowAddress(): void {
    this.f.get(this.addr);
    if (this.xlen === 64) this.f.op(Op.I32WrapI64);
  }
}

/** Finds accesses off the same register in a block. */
function membersOf(instructions: readonly FlowInstruction[]): ReadonlyMap<number, Member> {
  const groups: Group[] = [];
  /** Those that may go on, by register and kind. */
  const open = new Map<number, Group>();
  instructions.forEach(({ decoded: { base, operands } }, place) => {
    const store = base.class === "store" ? 1 : 0;
    if (store === 1 || base.class === "load") {
      const key = operands.rs1 * 2 + store;
      const group = open.get(key);
      if (group !== undefined) group.push(place);
      else {
        const begun = [place];
        open.set(key, begun);
        groups.push(begun);
      }
    }
    // Whether or not the instruction writes a register of that number: that is only one look more.
    open.delete(operands.rd * 2);
    open.delete(operands.rd * 2 + 1);
  });
  const members = new Map<number, Member>();
  const worth = groups.filter((group) => group.length > 1).sort((a, b) => b.length - a.length).slice(0, PAGES);
  worth.forEach((group, page) => group.forEach((place, i) => members.set(place, { page, follows: i > 0 })));
  return members;
}
