import { harmless } from "./colour.ts";

/** What traces ask of an image's symbols; whoever has them (an ELF file, `--symbols`) answers. */

/** The symbol an address belongs to, and how far into it the address is; undefined if it is in none. */
export type Symbolizer = (addr: bigint) => { readonly name: string; readonly offset: bigint | number } | undefined;

/** Where the symbol called `name` is: `end` is the first address after it. Undefined if there is none. */
export type SymbolRange = (name: string) => { readonly start: bigint; readonly end: bigint } | undefined;

/** `name` or `name+0x10`; undefined where the address has no symbol. Control characters in names are replaced. */
export function symbolText(symbolize: Symbolizer | undefined, addr: bigint): string | undefined {
  const found = symbolize?.(addr);
  if (found === undefined) return undefined;
  // A symbol table is the guest's word.
  const name = harmless(found.name);
  return found.offset === 0 || found.offset === 0n ? name : `${name}+0x${found.offset.toString(16)}`;
}
