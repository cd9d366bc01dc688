// @ts-types="./copy.d.ts"
export { copy, copySync } from "npm:deno-std@1.3.1/fs/copy.js";
