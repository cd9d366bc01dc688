/**
 * A driver of the entropy device as assembly text, step by step, so that a test can leave one out or change it: discovery
 * is left away, everything else is what a driver must do. It asks for 8 bytes and waits for them.
 */

/** Where the program keeps its queue and buffer, and how it goes. */
export const RNG = {
  slot: 0x1000_1000,
  plic: 0x0c00_0000,
  finisher: 0x10_0000,
  desc: 0x8001_0000,
  avail: 0x8001_1000,
  used: 0x8001_2000,
  buffer: 0x8001_3000,
  size: 4,
} as const;

/** `sw value, addr` with scratch registers. */
export function store(addr: number, value: number, width: "sb" | "sh" | "sw" | "sd" = "sw"): string {
  return `li t0, ${addr}\n li t1, ${value}\n ${width} t1, 0(t0)\n`;
}
/** `lw t1, addr`. */
export function load(addr: number, width: "lbu" | "lhu" | "lw" = "lw"): string {
  return `li t0, ${addr}\n ${width} t1, 0(t0)\n`;
}
const reg = (offset: number, value: number): string => store(RNG.slot + offset, value);

/** How the program waits. */
export type Waiting = "poll" | "interrupt";
/** How its ring is laid out. */
export type Format = "split" | "packed";

/** What depends on the ring: AVAIL of a packed descriptor is bit 7 of its flags, USED bit 15 (virtio 1.2 §2.8.1). */
const RINGS: Readonly<Record<Format, Readonly<Record<"word1" | "ring" | "index" | "used" | "read", string>>>> = {
  split: {
    word1: reg(0x20, 1),
    ring: store(RNG.desc + 12, 2) + store(RNG.avail + 4, 0, "sh"),
    index: store(RNG.avail + 2, 1, "sh"),
    used: load(RNG.used + 2, "lhu"),
    read: load(RNG.used + 4),
  },
  packed: {
    word1: reg(0x20, 5),
    ring: store(RNG.desc + 12, 0, "sh"),
    index: store(RNG.desc + 14, 0x82, "sh"),
    used: `${load(RNG.desc + 14, "lhu")} srli t1, t1, 15\n`,
    read: load(RNG.desc + 8) + load(RNG.desc + 12, "lhu"),
  },
};

/** The steps in order. */
export function rngSteps(waiting: Waiting, format: Format = "split"): Record<string, string> {
  const interrupts = waiting === "interrupt";
  const rings = RINGS[format];
  return {
    probe: load(RNG.slot) + load(RNG.slot + 4) + load(RNG.slot + 8),
    vector: interrupts ? "la t0, handler\n csrw mtvec, t0\n" : "",
    reset: reg(0x70, 0) + load(RNG.slot + 0x70),
    acknowledge: reg(0x70, 1),
    driver: reg(0x70, 3),
    features: reg(0x14, 1) + load(RNG.slot + 0x10) + reg(0x24, 1) + rings.word1 + reg(0x24, 0) + reg(0x20, 0),
    featuresOk: reg(0x70, 0xb) + load(RNG.slot + 0x70),
    queue: reg(0x30, 0) + load(RNG.slot + 0x44) + load(RNG.slot + 0x34) + reg(0x38, RNG.size) +
      reg(0x80, RNG.desc) + reg(0x84, 0) + reg(0x90, RNG.avail) + reg(0x94, 0) + reg(0xa0, RNG.used) + reg(0xa4, 0),
    ready: reg(0x44, 1),
    driverOk: reg(0x70, 0xf),
    priority: interrupts ? store(RNG.plic + 4, 1) : "",
    enable: interrupts ? store(RNG.plic + 0x2000, 2) : "",
    threshold: interrupts ? store(RNG.plic + 0x20_0000, 0) : "",
    mie: interrupts ? "li t0, 0x800\n csrw mie, t0\n" : "",
    mstatus: interrupts ? "csrsi mstatus, 8\n" : "",
    descriptor: store(RNG.desc, RNG.buffer, "sd") + store(RNG.desc + 8, 8),
    ring: rings.ring,
    barrier: "fence w, w\n",
    index: rings.index,
    notifyBarrier: "fence rw, rw\n",
    notify: reg(0x50, 0),
    wait: interrupts ? "waiting: wfi\n lw t1, 0(s1)\n beqz t1, waiting\n" : `waiting: ${rings.used} beqz t1, waiting\n`,
    readBarrier: "fence r, r\n",
    read: rings.read + load(RNG.buffer),
    end: store(RNG.finisher, 0x5555) + "stop: j stop\n",
    handler: interrupts ? "handler: addi s0, s0, 1\n" : "handler: j handler\n",
    claim: interrupts ? load(RNG.plic + 0x20_0004) + " mv s2, t1\n" : "",
    status: interrupts ? load(RNG.slot + 0x60) + "mv s3, t1\n" : "",
    ack: interrupts ? `li t0, ${RNG.slot + 0x64}\n sw s3, 0(t0)\n` : "",
    complete: interrupts ? `li t0, ${RNG.plic + 0x20_0004}\n sw s2, 0(t0)\n` : "",
    done: interrupts ? `${rings.used} sw t1, 0(s1)\n mret\n` : "",
  };
}

/** The program's text: what the interrupt handler has seen is at s1. */
export function rngProgram(
  waiting: Waiting,
  changes: Readonly<Record<string, string>> = {},
  format: Format = "split",
): string {
  const steps = rngSteps(waiting, format);
  for (const name of Object.keys(changes)) {
    if (steps[name] === undefined) throw new Error(`rng program: no step ${name}`);
  }
  return `li s1, 0x80014000\n${Object.values({ ...steps, ...changes }).join("")}`;
}
