/** The module writer where V8 does not complain of a mistake: it skips a custom section that makes no sense. */
import { assert, assertEquals } from "@std/assert";
import { Bytes } from "../../vm/translate/bytes.ts";
import { FunctionBody, I32, ModuleWriter, Op } from "../../vm/translate/wasm.ts";

Deno.test("a condition that seldom holds is named in the section of branch hints, by its place in the function", () => {
  const module = new ModuleWriter();
  module.add(new FunctionBody([], []));
  const f = new FunctionBody([I32], [I32]);
  f.get(0).set(f.local(I32));
  f.get(0).if().end();
  f.get(0).ifSeldom().i32(7).op(Op.Return).end();
  f.get(0);
  module.add(f, "f");
  // The function as the code section has it: it ends with the hinted condition and what follows.
  const bytes = new Bytes();
  const start = bytes.open();
  f.encode(bytes);
  const body = bytes.view.slice(2 * start);
  const compiled = new WebAssembly.Module(module.encode(1));
  const [hints] = WebAssembly.Module.customSections(compiled, "metadata.code.branch_hint");
  assert(hints !== undefined);
  const [functions, index, count, offset, size, likely] = new Uint8Array(hints);
  assertEquals([functions, index, count, size, likely], [1, 1, 1, 1, 0]);
  assertEquals(body[offset!], Op.If);
  assertEquals([...body.slice(offset! + 2)], [Op.I32Const, 7, Op.Return, Op.End, Op.LocalGet, 0, Op.End]);
});
