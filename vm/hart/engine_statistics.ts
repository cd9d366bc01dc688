/** What engines tell of their work, for whoever wants to know why a run took as long as it did. */

/** Why emitted code came back to TypeScript: see `Exit` in `vm/translate/exit.ts`. */
export type LeaveCause = "budget" | "slow" | "undecoded" | "page" | "load-miss" | "store-miss" | "stale";

/** How translated regions were left: see `RegionEnd` in `vm/translate/exit.ts`. */
export type RegionEndCause = "budget" | "code" | "jump" | "instruction" | "miss";

/** Of one hart's engine, since it was made. */
export interface EngineStatistics {
  /** Steps by who did them. */
  readonly steps: { readonly translated: number; readonly interpreted: number; readonly executor: number };
  readonly left: Readonly<Record<LeaveCause, number>>;
  /** Absent where nothing is translated. */
  readonly regions?: {
    readonly made: number;
    /** Instructions in them, those of inlined functions each time. */
    readonly instructions: number;
    readonly live: number;
    /** Made again because their jumps went elsewhere. */
    readonly remade: number;
    readonly dropped: number;
    readonly flushed: number;
    readonly ends: Readonly<Record<RegionEndCause, number>>;
  };
  /** Milliseconds, if a clock was given: in emitted code, finding and translating code, and the longest of that at a time. */
  readonly time?: { readonly emitted: number; readonly translating: number; readonly longest: number };
}

/** A region that was made. */
export interface TranslatedRegion {
  /** Virtual addresses at which it may be entered, the one it was made for first. */
  readonly entries: readonly bigint[];
  /** Its instructions in the order of the code; an address may be there several times. `at` is where its code begins. */
  readonly instructions: readonly { readonly pc: bigint; readonly word: number; readonly at: number }[];
  /** The WebAssembly module; `instructions` are in the function with this index. */
  readonly module: Uint8Array<ArrayBuffer>;
  readonly function: number;
}

/** Somebody who watches engines at work. */
export interface EngineObserver {
  /** The host's time in milliseconds. */
  readonly now?: () => number;
  /** A region was made. */
  readonly region?: (region: TranslatedRegion) => void;
}
