/** What else {@linkcode exists} asks; at most one of `isDirectory` and `isFile` (both: `TypeError`). */
export interface ExistsOptions {
  /** It can be read by this process. */
  isReadable?: boolean;
  /** It is a folder. */
  isDirectory?: boolean;
  /** It is a file. */
  isFile?: boolean;
}

/** Whether there is a file or folder of that name that answers to `options`. */
export function exists(path: string | URL, options?: ExistsOptions): Promise<boolean>;
/** {@linkcode exists}, at once. */
export function existsSync(path: string | URL, options?: ExistsOptions): boolean;
