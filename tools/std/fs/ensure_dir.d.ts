/** Makes a folder and those above it where they are missing; throws if the name is something else than a folder. */
export function ensureDir(dir: string | URL): Promise<void>;
/** {@linkcode ensureDir}, at once. */
export function ensureDirSync(dir: string | URL): void;
