// @ts-types="./walk.d.ts"
export { walk, walkSync } from "npm:deno-std@1.3.1/fs/walk.js";
