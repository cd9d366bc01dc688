/** Removes all that a folder holds; makes the folder if there is none. */
export function emptyDir(dir: string | URL): Promise<void>;
/** {@linkcode emptyDir}, at once. */
export function emptyDirSync(dir: string | URL): void;
