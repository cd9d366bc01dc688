// @ts-types="./ensure_dir.d.ts"
export { ensureDir, ensureDirSync } from "npm:deno-std@1.3.1/fs/ensure_dir.js";
