import { assert, assertEquals } from "@std/assert";
import { findRegister } from "../../../vm/bus/register.ts";
import { holdingDriver } from "../../support/virtio_device.ts";

Deno.test("mmio: configuration fields are registers by their names, everything else keeps its own", () => {
  const { d, device } = holdingDriver({ version: 2 });
  const mmio = d.slot;
  const fields = device.config.fields;
  assert(fields.length > 0);
  for (const { name, offset, size } of fields) {
    const found = findRegister(mmio.registers, 0x100 + offset);
    assertEquals([found?.def.name, found?.def.offset, found?.def.size], [`config.${name}`, 0x100 + offset, size]);
  }
  assertEquals(findRegister(mmio.registers, 0xffc)?.def.name, "Config");
  assertEquals(findRegister(mmio.registers, 0x70)?.def.name, "Status");
});
