// @ts-types="./expand_glob.d.ts"
export { expandGlob, expandGlobSync } from "npm:deno-std@1.3.1/fs/expand_glob.js";
