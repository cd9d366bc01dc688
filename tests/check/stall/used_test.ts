/** What a driver wanted to be told of and was not, out of the words that stand in its rings. */
import { assertEquals, assertStringIncludes } from "@std/assert";
import { answeredStall, unreadStall, untoldStall } from "../../../vm/check/stall/used.ts";
import type { StallQueue, StallView } from "../../../vm/check/stall/view.ts";

const SIZE = 8;
const DRIVER = 0x1000;

/** A device with one queue; `words` are the 16-bit ones that its driver has written, by address. */
function view(
  queue: Partial<StallQueue>,
  words: Readonly<Record<number, number>>,
  device: { readonly id?: number; readonly eventIdx?: boolean } = {},
): StallView {
  const whole: StallQueue = {
    index: 0,
    format: "split",
    size: SIZE,
    desc: 0,
    driver: DRIVER,
    device: 0x2000,
    taken: 3,
    used: 3,
    wrap: 1,
    told: 2,
    interrupts: 2,
    vain: false,
    inFlight: 0,
    ...queue,
  };
  const { id = 4, eventIdx = false } = device;
  return {
    harts: [],
    devices: [{ name: "virtio0", id, status: 15, interruptStatus: 0, eventIdx, source: 1, queues: [whole] }],
    sources: [],
    threshold: () => 0,
    read: (addr) => words[addr] ?? 0,
    physical: () => undefined,
    place: () => undefined,
  };
}

const EVENT = DRIVER + 4 + 2 * SIZE;

for (
  const [name, stall, words] of [
    ["flags say no", untoldStall(view({}, { [DRIVER]: 1 }), false), "VIRTQ_AVAIL_F_NO_INTERRUPT"],
    ["flags said no when it was used", untoldStall(view({}, {}), false), "before flags of the available ring asked"],
    ["used_event behind", untoldStall(view({}, { [EVENT]: 1 }, { eventIdx: true }), false), "the device has passed"],
    ["used_event ahead", untoldStall(view({}, { [EVENT]: 5 }, { eventIdx: true }), false), "used all it was given"],
    [
      "used_event too late",
      untoldStall(view({}, { [EVENT]: 2 }, { eventIdx: true }), false),
      "before used_event asked",
    ],
    [
      "indexes come around",
      untoldStall(view({ used: 1, told: 0xffff }, { [EVENT]: 0xfffe }, { eventIdx: true }), false),
      "the device has passed",
    ],
    [
      "packed, disabled",
      untoldStall(view({ format: "packed" }, { [DRIVER + 2]: 1 }), false),
      "RING_EVENT_FLAGS_DISABLE",
    ],
    [
      "packed, another place",
      untoldStall(view({ format: "packed" }, { [DRIVER]: 0x8001, [DRIVER + 2]: 2 }), false),
      "descriptor 1 is used with wrap counter 1",
    ],
    ["packed, enabled too late", untoldStall(view({ format: "packed" }, {}), false), "suppression flags asked"],
  ] as const
) {
  Deno.test(`not told: ${name}`, () => {
    assertEquals(stall?.link, "used");
    assertStringIncludes(stall!.why, words);
  });
}

Deno.test("who was told, and who only sends, does not wait in vain", () => {
  assertEquals(untoldStall(view({ told: 3 }, { [DRIVER]: 1 }), false), undefined);
  const sending = view({ index: 1 }, { [DRIVER]: 1 }, { id: 3 });
  assertEquals(untoldStall(sending, false), undefined);
  assertEquals(untoldStall(sending, true)?.link, "used");
});

Deno.test("a handler that does not look is named where that is known, and supposed where it is not", () => {
  assertEquals(unreadStall(view({ told: 3 }, {})), undefined);
  assertEquals(unreadStall(view({ told: 3, unread: 0 }, {})), undefined);
  assertStringIncludes(unreadStall(view({ told: 3, unread: 2 }, {}))!.why, "has used 2 buffers");
  assertStringIncludes(unreadStall(view({ told: 3, unread: 2, looked: true }, {}))!.why, "another position");
  assertStringIncludes(answeredStall(view({ told: 3 }, {}))!.why, "if the program waits");
  assertEquals(answeredStall(view({ told: 3, unread: 0 }, {})), undefined);
  assertEquals(answeredStall(view({ told: 3, inFlight: 1 }, {})), undefined);
});
