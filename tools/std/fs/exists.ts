// @ts-types="./exists.d.ts"
export { exists, existsSync } from "npm:deno-std@1.3.1/fs/exists.js";
