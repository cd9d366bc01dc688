import { hex } from "../bits.ts";

/** A property: a name and bytes (devicetree 0.4 §2.2.4). */
export interface FdtProperty {
  readonly name: string;
  readonly value: Uint8Array;
}

/** A node of a device tree; the root's name is empty. */
export interface FdtNode {
  readonly name: string;
  readonly properties: readonly FdtProperty[];
  readonly children: readonly FdtNode[];
}

/** A blob that is no device tree. The message says what is wrong and where. */
export class FdtError extends Error {
  override readonly name = "FdtError";
}

const MAGIC = 0xd00d_feed;
const VERSION = 17;
/** Oldest version whose structure block is the same (devicetree 0.4 §5.1). */
const COMPATIBLE = 16;
const HEADER_BYTES = 40;
/** One empty entry: the end of the memory reservation block. */
const RESERVATION_BYTES = 16;
/** Deeper trees are refused, so that no walk of one can exhaust the stack. */
const DEPTH_MAX = 64;

/** Longer names are refused: a hostile blob could have each property's name be most of a huge strings block. */
const NAME_MAX = 255;

/** Tokens of the structure block (devicetree 0.4 §5.4.1). */
const TOKEN = { beginNode: 1, endNode: 2, prop: 3, nop: 4, end: 9 } as const;

/** A property of 32-bit big-endian cells. */
export function cells(name: string, ...values: readonly number[]): FdtProperty {
  const value = new Uint8Array(values.length * 4);
  const view = new DataView(value.buffer);
  values.forEach((v, i) => view.setUint32(i * 4, v));
  return { name, value };
}

/** A property that is a list of strings, each ended by a zero byte. */
export function strings(name: string, ...values: readonly string[]): FdtProperty {
  return { name, value: encoder.encode(values.map((v) => `${v}\0`).join("")) };
}

/** A property whose presence says it all. */
export function flag(name: string): FdtProperty {
  return { name, value: new Uint8Array(0) };
}

/** A number as two cells, high one first. */
export function cells64(value: number): [number, number] {
  return [Math.floor(value / 0x1_0000_0000), value >>> 0];
}

/** The property called `name`, or undefined. */
export function property(node: FdtNode, name: string): FdtProperty | undefined {
  return node.properties.find((p) => p.name === name);
}

/** The node at a path such as `/soc/serial@10000000`, or undefined. */
export function nodeAt(root: FdtNode, path: string): FdtNode | undefined {
  let node: FdtNode | undefined = root;
  for (const name of path.split("/").filter((n) => n !== "")) node = node?.children.find((c) => c.name === name);
  return node;
}

const encoder = new TextEncoder();
const align4 = (n: number) => (n + 3) & ~3;

/**
 * A flattened device tree, version 17 (devicetree 0.4 §5).
 *
 * ```ts
 * const blob = encodeFdt({ name: "", properties: [strings("model", "demo")], children: [] });
 * ```
 */
export function encodeFdt(root: FdtNode): Uint8Array<ArrayBuffer> {
  const names = collectNames(root);
  const struct = HEADER_BYTES + RESERVATION_BYTES;
  const structBytes = nodeBytes(root) + 4;
  const total = align4(struct + structBytes + names.bytes);
  const blob = new Uint8Array(total);
  const view = new DataView(blob.buffer);
  const header = [
    MAGIC,
    total,
    struct,
    struct + structBytes,
    HEADER_BYTES,
    VERSION,
    COMPATIBLE,
    0,
    names.bytes,
    structBytes,
  ];
  header.forEach((word, i) => view.setUint32(i * 4, word));
  const end = writeNode(root, view, blob, struct, names.offsets);
  view.setUint32(end, TOKEN.end);
  for (const [name, offset] of names.offsets) blob.set(encoder.encode(name), struct + structBytes + offset);
  return blob;
}

function collectNames(root: FdtNode): { offsets: Map<string, number>; bytes: number } {
  const offsets = new Map<string, number>();
  let bytes = 0;
  const visit = (node: FdtNode) => {
    for (const { name } of node.properties) {
      if (offsets.has(name)) continue;
      offsets.set(name, bytes);
      bytes += encoder.encode(name).length + 1;
    }
    node.children.forEach(visit);
  };
  visit(root);
  return { offsets, bytes };
}

function nodeBytes(node: FdtNode): number {
  let bytes = 4 + align4(encoder.encode(node.name).length + 1) + 4;
  for (const p of node.properties) bytes += 12 + align4(p.value.length);
  for (const child of node.children) bytes += nodeBytes(child);
  return bytes;
}

function writeNode(
  node: FdtNode,
  view: DataView,
  blob: Uint8Array,
  at: number,
  names: ReadonlyMap<string, number>,
): number {
  const name = encoder.encode(node.name);
  view.setUint32(at, TOKEN.beginNode);
  blob.set(name, at + 4);
  at += 4 + align4(name.length + 1);
  for (const p of node.properties) {
    view.setUint32(at, TOKEN.prop);
    view.setUint32(at + 4, p.value.length);
    view.setUint32(at + 8, names.get(p.name)!);
    blob.set(p.value, at + 12);
    at += 12 + align4(p.value.length);
  }
  for (const child of node.children) at = writeNode(child, view, blob, at, names);
  view.setUint32(at, TOKEN.endNode);
  return at + 4;
}

/**
 * Reads a flattened device tree; throws `FdtError` for anything that is not one. Nothing outside the blob's own blocks
 * is read, and a tree costs no more memory than a small multiple of its blob.
 *
 * ```ts
 * const chosen = { name: "chosen", properties: [strings("stdout-path", "/soc/serial@10000000")], children: [] };
 * const root = decodeFdt(encodeFdt({ name: "", properties: [], children: [chosen] }));
 * property(nodeAt(root, "/chosen")!, "stdout-path");
 * ```
 */
export function decodeFdt(blob: Uint8Array): FdtNode {
  return new Decoder(blob).decode();
}

class Decoder {
  readonly #blob: Uint8Array;
  readonly #view: DataView;
  #at = 0;
  /** End of the structure block. */
  #end = 0;
  #strings = 0;
  #stringsEnd = 0;
  readonly #names = new Map<number, string>();

  constructor(blob: Uint8Array) {
    this.#blob = blob;
    this.#view = new DataView(blob.buffer, blob.byteOffset, blob.byteLength);
  }

  decode(): FdtNode {
    this.#header();
    this.#token(TOKEN.beginNode, "the root node");
    const root = this.#node(0);
    if (root.name !== "") throw new FdtError(`device tree: the root node is called "${root.name}", expected no name`);
    this.#token(TOKEN.end, "the end of the structure block");
    return root;
  }

  #header(): void {
    const bytes = this.#blob.length;
    if (bytes < HEADER_BYTES) throw new FdtError(`device tree: ${bytes} bytes are too few for a header of 40`);
    const word = (i: number) => this.#view.getUint32(i * 4);
    if (word(0) !== MAGIC) throw new FdtError(`device tree: magic is ${hex(word(0), 8)}, expected ${hex(MAGIC)}`);
    const total = word(1);
    if (total > bytes || total < HEADER_BYTES) {
      throw new FdtError(`device tree: header says ${total} bytes, there are ${bytes}`);
    }
    if (word(5) < COMPATIBLE || word(6) > VERSION) {
      throw new FdtError(`device tree: version ${word(5)} (compatible to ${word(6)}), expected 16 or 17`);
    }
    this.#strings = word(3);
    this.#stringsEnd = this.#block("strings", word(3), word(8), total);
    this.#at = word(2);
    // Version 16 has no size of the structure block.
    this.#end = this.#block("structure", word(2), word(5) >= 17 ? word(9) : total - word(2), total);
    if (this.#at % 4 !== 0) throw new FdtError(`device tree: structure block at ${hex(this.#at)} is not aligned to 4`);
  }

  #block(what: string, offset: number, size: number, total: number): number {
    if (offset < HEADER_BYTES || size < 0 || offset + size > total) {
      throw new FdtError(`device tree: ${what} block (${size} bytes at ${hex(offset)}) leaves the blob of ${total}`);
    }
    return offset + size;
  }

  #word(what: string): number {
    if (this.#at + 4 > this.#end) throw new FdtError(`device tree: structure block ends where ${what} is expected`);
    const word = this.#view.getUint32(this.#at);
    this.#at += 4;
    return word;
  }

  /** The next token that is not a NOP. */
  #next(what: string): number {
    let token: number;
    do token = this.#word(what); while (token === TOKEN.nop);
    return token;
  }

  #token(expected: number, what: string): void {
    const token = this.#next(what);
    if (token !== expected) this.#unexpected(token, what);
  }

  #unexpected(token: number, what: string): never {
    throw new FdtError(`device tree: token ${hex(token)} at ${hex(this.#at - 4)} where ${what} is expected`);
  }

  /** A node after its BEGIN_NODE. */
  #node(depth: number): FdtNode {
    if (depth >= DEPTH_MAX) throw new FdtError(`device tree: nodes nested deeper than ${DEPTH_MAX}`);
    const name = this.#string(this.#at, this.#end, "a node's name");
    this.#at = align4(this.#at + name.bytes + 1);
    const properties: FdtProperty[] = [];
    const children: FdtNode[] = [];
    for (;;) {
      const token = this.#next(`the end of node "${name.text}"`);
      if (token === TOKEN.endNode) return { name: name.text, properties, children };
      if (token === TOKEN.beginNode) {
        children.push(this.#node(depth + 1));
      } else if (token === TOKEN.prop && children.length === 0) {
        properties.push(this.#property());
      } else {
        this.#unexpected(token, `a property, a node or the end of node "${name.text}"`);
      }
    }
  }

  #property(): FdtProperty {
    const length = this.#word("a property's length");
    const name = this.#name(this.#word("a property's name"));
    if (length > this.#end - this.#at) {
      throw new FdtError(`device tree: property "${name}" of ${length} bytes leaves the structure block`);
    }
    const value = this.#blob.slice(this.#at, this.#at + length);
    this.#at = align4(this.#at + length);
    return { name, value };
  }

  #name(offset: number): string {
    const known = this.#names.get(offset);
    if (known !== undefined) return known;
    const { text } = this.#string(this.#strings + offset, this.#stringsEnd, "a property's name");
    this.#names.set(offset, text);
    return text;
  }

  #string(at: number, end: number, what: string): { text: string; bytes: number } {
    const stop = at < end ? this.#blob.subarray(at, Math.min(end, at + NAME_MAX + 1)).indexOf(0) : -1;
    if (stop < 0) {
      throw new FdtError(
        `device tree: ${what} at ${hex(at)} does not end inside its block or is longer than ${NAME_MAX} bytes`,
      );
    }
    return { text: new TextDecoder().decode(this.#blob.subarray(at, at + stop)), bytes: stop };
  }
}

/**
 * A tree as text like `dtc` writes it: strings quoted, cells in hexadecimal, anything else as bytes.
 *
 * ```ts
 * formatFdt({ name: "", properties: [cells("#address-cells", 2)], children: [] });
 * // / {
 * //     #address-cells = <0x2>;
 * // };
 * ```
 */
export function formatFdt(node: FdtNode, indent = ""): string {
  const inner = `${indent}    `;
  const properties = node.properties.map((p) =>
    p.value.length === 0 ? `${inner}${p.name};\n` : `${inner}${p.name} = ${formatValue(p.value)};\n`
  );
  const children = node.children.map((c) => formatFdt(c, inner));
  return `${indent}${node.name === "" ? "/" : node.name} {\n${properties.join("")}${children.join("")}${indent}};\n`;
}

function formatValue(value: Uint8Array): string {
  const text = new TextDecoder("latin1").decode(value);
  if (/^(?:[\x20-\x7e]+\0)+$/.test(text)) {
    return text.slice(0, -1).split("\0").map((s) => JSON.stringify(s)).join(", ");
  }
  if (value.length % 4 === 0) {
    const view = new DataView(value.buffer, value.byteOffset, value.byteLength);
    return `<${Array.from({ length: value.length / 4 }, (_, i) => hex(view.getUint32(i * 4))).join(" ")}>`;
  }
  return `[${Array.from(value, (b) => b.toString(16).padStart(2, "0")).join(" ")}]`;
}
