/** Structures of regions from assembly text. */
import { Assembler } from "../../vm/isa/assemble.ts";
import { Decoder } from "../../vm/isa/decode.ts";
import { parseIsa } from "../../vm/isa/table.ts";
import { straightMap } from "../../vm/translate/code_map.ts";
import { discover, type FlowBlock, flowSource } from "../../vm/translate/flow.ts";
import { type Node, type Structure, structure } from "../../vm/translate/structure.ts";
import type { Unrolling } from "../../vm/translate/unroll.ts";

const ISA = parseIsa("rv64ima");

/** The structure of the region that begins at `entry` of a program; all of it can be emitted. */
export function structureOf(text: string, entry: number, unrolling?: Unrolling): Structure {
  return structure(blocksOf(text, entry)[0]!, unrolling);
}

/** The blocks of that region; `reached` says which offsets control was seen to come to. */
export function blocksOf(text: string, entry: number, reached: (offset: number) => boolean = () => true): FlowBlock[] {
  const { bytes } = new Assembler(ISA).program(text, 0n);
  const u16 = new Uint16Array(bytes.slice().buffer);
  const source = flowSource(
    u16,
    new Decoder(ISA),
    () => true,
    straightMap(entry, 0, bytes.length),
    () => [],
    reached,
  );
  return discover(source, { instructions: 400, depth: 2, callee: 40 })!;
}

/** The node with the instructions at an offset from the entry. */
export function nodeAt({ nodes }: Structure, offset: number): Node {
  return nodes.find(({ block }) => block.offset === offset && block.instructions.length > 0)!;
}
