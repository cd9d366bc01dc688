import { assertEquals } from "@std/assert";
import { virtioStatus } from "../../../devices/virtio/registers.ts";
import { holdingDriver as driver } from "../../support/virtio_device.ts";

const { ACKNOWLEDGE } = virtioStatus;
const VERSIONS = [1, 2] as const;

Deno.test("configuration space: field widths on version 2, anything on version 1 (§4.2.2.2)", () => {
  for (const version of VERSIONS) {
    const { d, device } = driver({ version });
    device.config.set("wide", 0x0123_4567_89ab);
    device.config.set("word", 0xdead_beef);
    device.config.set("half", 0x1234);
    d.negotiate();
    d.board.facts.length = 0;
    assertEquals(d.readConfig(0, 4), 0x4567_89ab);
    assertEquals(d.readConfig(4, 4), 0x0123);
    assertEquals(d.readConfig(8, 4), 0xdead_beef);
    assertEquals(d.readConfig(12, 2), 0x1234);
    assertEquals(d.readConfig(14, 1), 0);
    assertEquals(d.board.violations, []);
    assertEquals([0, 1, 2, 3].map((i) => d.readConfig(8 + i, 1)), [0xef, 0xbe, 0xad, 0xde]);
    assertEquals(d.readConfig(12, 4), 0x1234);
    assertEquals(d.board.violations, version === 2 ? Array(5).fill("config-access") : []);
    d.board.facts.length = 0;
    d.readConfig(16, 4);
    d.readConfig(20, 4);
    assertEquals(d.readConfig(0xe00, 4), 0);
    assertEquals(d.board.violations, ["config-feature", "config-undefined", "config-undefined"]);
  }
});

Deno.test("configuration writes: only writable fields, not before FEATURES_OK on version 2 (§3.1.1)", () => {
  const { d, device } = driver();
  d.write("Status", ACKNOWLEDGE);
  d.writeConfig(14, 1, 7);
  assertEquals(d.board.violations, [], "a field that may be written at any time");
  assertEquals(device.config.get("byte"), 7);
  d.writeConfig(8, 4, 5);
  assertEquals(d.board.violations, ["config-early-write"]);
  d.negotiate();
  d.board.facts.length = 0;
  d.writeConfig(8, 4, 6);
  d.writeConfig(12, 2, 9);
  assertEquals(d.board.violations, ["config-read-only"]);
  assertEquals(device.config.get("word"), 6);
  assertEquals(device.config.get("half"), 0);
  const strict = driver({ strict: true });
  strict.d.writeConfig(8, 4, 5);
  assertEquals(strict.device.config.get("word"), 0);
  const legacy = driver({ version: 1 });
  legacy.d.writeConfig(9, 1, 5);
  assertEquals(legacy.device.config.get("word"), 0x500);
  assertEquals(legacy.d.board.violations, []);
});
