import { hex } from "../vm/bits.ts";
import type { AccessSize, Device } from "../vm/bus/device.ts";
import type { RegisterDef } from "../vm/bus/register.ts";
import type { EventStream } from "../vm/events.ts";

/** Values of the low half of the register (SiFive's test finisher, also `syscon-poweroff` and `syscon-reboot`). */
export const FINISHER = { fail: 0x3333, pass: 0x5555, reset: 0x7777 } as const;

/** How the guest ended itself: `code` is the exit code of a failure, 0 otherwise. */
export interface Finish {
  readonly step: "pass" | "fail" | "reset";
  readonly code: number;
}

/** What a finisher needs. */
export interface FinisherOptions {
  readonly events: EventStream;
  /** Called during the guest's store: take note of it and stop the hart, do not reset devices inside. */
  readonly onFinish: (finish: Finish) => void;
}

/** Register table of the finisher. */
export const FINISHER_REGISTERS: readonly RegisterDef[] = [
  {
    name: "finish",
    offset: 0,
    size: 4,
    access: "W",
    bits: [
      {
        name: "STATUS",
        mask: 0xffff,
        values: { [FINISHER.fail]: "FAIL", [FINISHER.pass]: "PASS", [FINISHER.reset]: "RESET" },
      },
      { name: "CODE", mask: 0xffff_0000 },
    ],
    spec: "sifive,test0",
  },
];

/**
 * Test finisher: a store ends the run or resets the machine. 0x5555 passes (and is how Linux powers off), `code << 16 |
 * 0x3333` fails with the code, 0x7777 resets; other values are told and do nothing. Reads give 0.
 *
 * ```ts
 * import { EventStream } from "../vm/events.ts";
 *
 * const finisher = new Finisher({ events: new EventStream(), onFinish: ({ step, code }) => console.log(step, code) });
 * finisher.write(0, 4, (3 << 16) | FINISHER.fail); // fail 3
 * ```
 */
export class Finisher implements Device {
  readonly name = "finisher";
  readonly registers: readonly RegisterDef[] = FINISHER_REGISTERS;
  /** As on QEMU: halfwords (which cannot carry a code) and words. */
  readonly widths = { min: 2, max: 4 } as const;
  readonly #events: EventStream;
  readonly #onFinish: (finish: Finish) => void;

  constructor(options: FinisherOptions) {
    this.#events = options.events;
    this.#onFinish = options.onFinish;
  }

  read(_offset: number, _size: AccessSize): number {
    return 0;
  }

  write(offset: number, _size: AccessSize, value: number): number {
    const finish = offset === 0 ? decode(value) : undefined;
    if (finish !== undefined) {
      if (this.#events.wants("machine")) this.#events.emit({ kind: "machine", ...finish });
      this.#onFinish(finish);
    } else if (this.#events.wants("violation")) {
      this.#events.emit({
        kind: "violation",
        device: this.name,
        spec: "sifive,test0",
        id: "finisher-value",
        what: `${hex(value)} written at offset ${hex(offset)}: the finisher knows 0x5555, 0x3333 and 0x7777 at 0x0`,
      });
    }
    return 0;
  }

  reset(): void {}
}

function decode(value: number): Finish | undefined {
  switch (value & 0xffff) {
    case FINISHER.pass:
      return { step: "pass", code: 0 };
    case FINISHER.fail:
      return { step: "fail", code: value >>> 16 };
    case FINISHER.reset:
      return { step: "reset", code: 0 };
    default:
      return undefined;
  }
}
