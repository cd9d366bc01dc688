/**
 * Loads and stores behind a TLB that lie close to each other: where straight code does several off the same register, the
 * first one looks into the TLB and the others only ask whether they are in the same page. What a region does changes
 * neither page tables nor the TLB: it leaves for that.
 */
import { PAGE_SIZE } from "../bus/memory.ts";
import type { AccessGroup, GroupedAccess } from "./access_groups.ts";
import { RegionValues } from "./region_values.ts";
import { I32, Op } from "./wasm.ts";

/** Most pages remembered at a time: they take registers of the host. */
const PAGES = 3;

/** A page that an access was found in: its virtual address, and host minus virtual address. */
interface KnownPage {
  readonly tag: number;
  readonly addend: number;
}

/** Remembers pages within straight code. */
export abstract class KnownPages extends RegionValues {
  readonly #pages: KnownPage[] = [];
  /** By group. */
  readonly #pageOf = new Map<AccessGroup, KnownPage>();

  protected override beginBlock(node: number, groups: readonly (GroupedAccess | undefined)[]): void {
    super.beginBlock(node, groups);
    this.#pageOf.clear();
    if (this.isFlat) return;
    const worth = [...new Set(groups.map((access) => access?.group))].filter((group) => group !== undefined);
    worth.sort((a, b) => b.count - a.count).slice(0, PAGES).forEach((group, i) => {
      this.#pageOf.set(group, this.#pages[i] ??= { tag: this.f.local(this.type), addend: this.f.local(I32) });
    });
  }

  protected override probe(tag: number, size: number, aligned: boolean): void {
    const { grouped, f } = this;
    const group = grouped?.group;
    const page = aligned || group === undefined ? undefined : this.#pageOf.get(group);
    if (page === undefined) return super.probe(tag, size, aligned);
    if (this.begins) {
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
