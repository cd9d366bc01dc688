/** How {@linkcode copy} treats what is there. */
export interface CopyOptions {
  /** Replace a destination that exists; without it that is `Deno.errors.AlreadyExists`. */
  overwrite?: boolean;
  /** Give the copy the times of the original. */
  preserveTimestamps?: boolean;
}

/** Copies a file, a link, or a folder with all it holds. */
export function copy(src: string | URL, dest: string | URL, options?: CopyOptions): Promise<void>;
/** {@linkcode copy}, at once. */
export function copySync(src: string | URL, dest: string | URL, options?: CopyOptions): void;
