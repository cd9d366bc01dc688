import { assert, assertEquals, assertGreater } from "@std/assert";
import { Assembler } from "../vm/isa/assemble.ts";
import { parseIsa } from "../vm/isa/table.ts";
import { Interpreter } from "../vm/translate/interpreter.ts";
import { FenceOrder, Watches, WatchKind } from "../vm/watches.ts";
import { BARE, BareMachine, engineNames } from "./support/engine.ts";

const PAGE = 4096;

/** Watches of 16 pages at 0x1000, and how often engines were told. */
function watches(): { watches: Watches; revoked: () => number; specialised: boolean[] } {
  const made = new Watches();
  made.base = PAGE;
  made.size = 16 * PAGE;
  let revoked = 0;
  const specialised: boolean[] = [];
  made.onRevoke(() => revoked++);
  made.onSpecialise = (active) => specialised.push(active);
  return { watches: made, revoked: () => revoked, specialised };
}

Deno.test("engines are made anew for the first listener and after the last one, and only then", () => {
  const { watches: w, specialised } = watches();
  const ends = [w.on(() => {}), w.on(() => {})];
  assertEquals(specialised, [true]);
  ends[0]!();
  ends[0]!();
  assert(w.active);
  ends[1]!();
  assertEquals(specialised, [true, false]);
});

Deno.test("a page is watched as long as anybody watches it, for what they asked", () => {
  const { watches: w, revoked } = watches();
  w.on(() => {});
  const stores = { addr: 2 * PAGE + 8, length: PAGE, kind: WatchKind.Store };
  const loads = { addr: 3 * PAGE, length: 1, kind: WatchKind.Load };
  w.watch([stores]);
  w.watch([stores, loads]);
  const covered = () => [1, 2, 3, 4].map((page) => [0, 1].map((a) => w.covers(page * PAGE, a as 0 | 1)).join());
  assertEquals(covered(), ["false,false", "false,true", "true,true", "false,false"]);
  assertEquals(revoked(), 2);
  w.unwatch([stores]);
  assertEquals(covered()[1], "false,true");
  w.unwatch([stores]);
  // Atomic operations load: who may not load unseen may not store unseen.
  assertEquals(covered(), ["false,false", "false,false", "true,true", "false,false"]);
  w.watch([loads]);
  assertEquals(revoked(), 2, "nothing new to see");
});

Deno.test("what is not RAM is not watched, and does no harm", () => {
  const { watches: w } = watches();
  w.on(() => {});
  const wild = [{ addr: 0, length: 2 ** 60, kind: WatchKind.Both }, {
    addr: 2 ** 50,
    length: 64,
    kind: WatchKind.Both,
  }];
  w.watch(wild);
  assertEquals([0, PAGE, 16 * PAGE, 17 * PAGE].map((at) => w.covers(at, 0)), [false, true, true, false]);
  w.unwatch(wild);
  assertEquals(w.flags.every((flags) => flags === 0), true);
});

/** Stores next to the watched page 1000 times, with fences and an atomic operation, and into it once each time round. */
const LOOP = `
        li s0, ${BARE.ram + 0x4000}
        li s1, ${BARE.ram + 0x5000}
        li s2, 1000
loop:   sd s2, 0(s0)
        ld a0, 0(s0)
        fence w, w
        fence rw, w
        amoadd.w.rl a1, a0, (s0)
        fence r, o
        addi s2, s2, -1
        bnez s2, loop
        sd a0, 8(s1)
        amoswap.w a2, a0, (s1)
done:   j done
`;

for (const name of engineNames) {
  Deno.test(`${name}: only watched pages are told of, fences are counted, and translated code goes on`, () => {
    const isa = parseIsa("rv64imac");
    const machine = new BareMachine(name, isa);
    const told: string[] = [];
    const end = machine.events.watches.on(({ write, addr, size }) => {
      told.push(`${write ? "store" : "load"} ${size} ${(addr - BARE.ram).toString(16)}`);
    });
    machine.events.watches.watch([{ addr: BARE.ram + 0x5000, length: 4, kind: WatchKind.Both }]);
    machine.load(new Assembler(isa).program(LOOP, BigInt(BARE.ram)).bytes);
    machine.run(9000);
    assertEquals(told, ["store 8 5008", "load 4 5000", "store 4 5000"]);
    const { watches } = machine.events;
    const counts = {
      ...FenceOrder,
      ...Object.fromEntries(Object.entries(FenceOrder).map(([k, v]) => [k, watches.fences(v)])),
    };
    // amoadd.w.rl counts as every kind of fence, amoswap.w as none.
    assertEquals(counts, { StoreStore: 3000, StoreLoad: 1000, LoadLoad: 1000, LoadStore: 2000, StoreDevice: 1000 });
    if (machine.engine instanceof Interpreter && name === "auto") {
      assertGreater(machine.engine.regions!.stats.made, 0);
    }
    end();
    machine.run(100);
    assertEquals(watches.fences(FenceOrder.StoreStore), 3000);
  });
}
