// @ts-types="./empty_dir.d.ts"
export { emptyDir, emptyDirSync } from "npm:deno-std@1.3.1/fs/empty_dir.js";
