import { assertEquals } from "@std/assert";
import { FunctionBody, I32, I64, ModuleWriter, Op, SaturatingOp } from "../../vm/translate/wasm.ts";
import { functionCode, wasmLines } from "../../vm/translate/wasm_text.ts";

Deno.test("a function reads as the text format has it", () => {
  const module = new ModuleWriter();
  const first = module.add(new FunctionBody([], []));
  const f = new FunctionBody([I32], [I64]);
  const local = f.local(I64);
  f.block("out").loop("again");
  f.get(0).i32(-5).op(Op.I32LtS).if().br("out").else().br("again").end();
  f.get(0).brTable(["out", "again"], "out").end().end();
  f.get(0).memory(Op.I64Load32S, 0x1234).tee(local).i64(0x8000_0000).op(Op.I64Add, Op.Drop);
  f.f64(0.5).op(0xfc, SaturatingOp.I64TruncSatF64S).call(first);
  const index = module.add(f, "f");
  const bytes = module.encode(1);
  // What is read is what V8 accepts.
  new WebAssembly.Module(bytes);
  assertEquals(wasmLines(functionCode(bytes, index)).map(({ depth, text }) => "  ".repeat(depth) + text), [
    "block",
    "  loop",
    "    local.get 0",
    "    i32.const -5",
    "    i32.lt_s",
    "    if",
    "      br 2",
    "    else",
    "      br 1",
    "    end",
    "    local.get 0",
    "    br_table 1 0 1",
    "  end",
    "end",
    "local.get 0",
    "i64.load32_s offset=0x1234",
    "local.tee 1",
    "i64.const 0x80000000",
    "i64.add",
    "drop",
    "f64.const 0.5",
    "i64.trunc_sat_f64_s",
    "call 0",
    "end",
  ]);
});

Deno.test("every opcode that is written has a name", () => {
  for (const code of Object.values(Op)) {
    const operands = [0, 0, 0, 0, 0, 0, 0, 0];
    assertEquals(wasmLines(new Uint8Array([code, ...operands]))[0]!.at, 0);
  }
});
