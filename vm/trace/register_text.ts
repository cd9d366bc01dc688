/** Register accesses in words: the register by the name in its device's table, its value by the names of its bits. */
import { hex } from "../bits.ts";
import { findRegister } from "../bus/register.ts";
import type { FoundRegister, RegisterBits } from "../bus/register.ts";
import type { MmioEvent } from "../events.ts";

/** The register an access hits, where the device's table has one. */
export function accessedRegister(access: MmioEvent): FoundRegister | undefined {
  const { device } = access;
  return device && findRegister(device.registers, access.offset, device.legacy === true, access.write);
}

/**
 * What to call the register: `Status`, `priority[10]`, `mtime[63:32]` for a part of it, `+0x1c` where there is none.
 * Repetitions of a byte (a configuration space) are counted in hexadecimal.
 */
export function registerName(access: MmioEvent, found: FoundRegister | undefined): string {
  if (found === undefined) return access.device === undefined ? hex(access.addr, 8) : `+${hex(access.offset)}`;
  const { def, index } = found;
  const name = access.device?.legacy === true ? def.legacyName ?? def.name : def.name;
  const bytes = def.repeat !== undefined && def.repeat.stride === 1;
  const part = def.repeat === undefined ? name : `${name}[${bytes ? hex(index) : index}]`;
  const first = access.offset - def.offset - index * (def.repeat?.stride ?? 0);
  if (bytes || (first === 0 && access.size >= def.size)) return part;
  const last = Math.min(first + access.size, def.size);
  return `${part}[${last * 8 - 1}:${first * 8}]`;
}

/** An access's value: `0x0f ACKNOWLEDGE|DRIVER`, `0x41 'A'`, `0x400 (1024)`, or that there was no answer. */
export function valueText(access: MmioEvent, found: FoundRegister | undefined): string {
  const { value } = access;
  if (value < 0) return access.device === undefined ? "bus fault: nothing is there" : "bus fault: the device refuses";
  const number = hex(value, 2);
  const bits = found?.def.bits;
  // Bit names hold for the whole register only.
  if (bits !== undefined && found !== undefined && access.offset === startOf(found)) {
    return [number, ...bitNames(bits, value)].join(" ");
  }
  if (found?.def.size === 1 && access.size === 1) {
    return value >= 0x20 && value < 0x7f ? `${number} '${String.fromCharCode(value)}'` : number;
  }
  return value >= 10 && value < 0x1_0000 ? `${number} (${value})` : number;
}

function startOf({ def, index }: FoundRegister): number {
  return def.offset + index * (def.repeat?.stride ?? 0);
}

/** Names of what is set, as one word (`A|B`, `FIELD=3`), or nothing; bits without a name are said too. */
export function bitNames(bits: readonly RegisterBits[], value: number): string[] {
  const words: string[] = [];
  let rest = value;
  for (const { name, mask, values } of bits) {
    rest &= ~mask;
    const shift = 31 - Math.clz32(mask & -mask);
    const field = (value & mask) >>> shift;
    // The number alone says as much as its only field.
    if (bits.length === 1 && values === undefined && mask >>> shift !== 1 && rest === 0) return [];
    if (values !== undefined) words.push(`${name}=${values[field] ?? field}`);
    else if (field !== 0) words.push(mask >>> shift === 1 ? name : `${name}=${field}`);
  }
  if (rest !== 0) words.push(hex(rest));
  return words.length === 0 ? [] : [words.join("|")];
}
