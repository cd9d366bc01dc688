import { assertEquals } from "@std/assert";
import { LineEditor } from "../../vm/cli/line_editor.ts";

/** An editor, what it has shown, and how often Ctrl-C was pressed. */
function rig() {
  const seen = { shown: "", cancelled: 0 };
  const editor = new LineEditor({
    write: (text) => void (seen.shown += text),
    onCancel: () => void seen.cancelled++,
  });
  const type = (text: string) => editor.feed(new TextEncoder().encode(text));
  return { editor, seen, type };
}

Deno.test("line editor: what is typed is shown, and given at Enter", async () => {
  const { editor, seen, type } = rig();
  const line = editor.read("> ");
  type("sto");
  type("p ü\r");
  assertEquals(await line, "stop ü");
  assertEquals(seen.shown, "> stop ü\n");
});

Deno.test("line editor: Backspace and Ctrl-U take back, not more than there is", async () => {
  const { editor, seen, type } = rig();
  const line = editor.read("> ");
  type("\x7fab\x7f\x08\x08c");
  type("\x15xyz\r");
  assertEquals(await line, "xyz");
  assertEquals(seen.shown, "> ab\b \b\b \bc\b \bxyz\n");
});

Deno.test("line editor: lines typed ahead wait until they are asked for", async () => {
  const { editor, type } = rig();
  type("one\ntwo\n");
  assertEquals([await editor.read(""), await editor.read("")], ["one", "two"]);
});

Deno.test("line editor: what nobody has asked for is left for others", async () => {
  const { editor, seen, type } = rig();
  const line = editor.read("> ");
  type("one\rtw\x03o\r");
  assertEquals(await line, "one");
  assertEquals(seen, { shown: "> one\n", cancelled: 1 });
  assertEquals(new TextDecoder().decode(editor.rest()), "two\r");
  editor.end();
  assertEquals(await editor.read("> "), undefined);
});

Deno.test("line editor: arrows go through the lines before, and back to an empty one", async () => {
  const { editor, type } = rig();
  type("one\rtwo\rtwo\r");
  for (const line of ["one", "two", "two"]) assertEquals(await editor.read(""), line);
  const take = (keys: string) => {
    const line = editor.read("");
    type(`${keys}\r`);
    return line;
  };
  assertEquals(await take("\x1b[A"), "two");
  assertEquals(await take("\x1b[A\x1bOA\x1b[A"), "one");
  assertEquals(await take("x\x1b[A\x1b[B"), "");
  assertEquals(await take("\x1b[1;5Ca\x1b[Cb"), "ab");
});

Deno.test("line editor: Ctrl-C gives up the line, Ctrl-D on an empty one is the end", async () => {
  const { editor, seen, type } = rig();
  const line = editor.read("> ");
  type("abc\x03");
  assertEquals(seen.cancelled, 1);
  type("a\x04\x7f\x04");
  assertEquals(await line, undefined);
  assertEquals(seen.shown, "> abc^C\n> a\b \b");
});

Deno.test("line editor: control characters and endless lines do not get in", async () => {
  const { editor, type } = rig();
  const line = editor.read("");
  type(`\x00\x1f\u0085${"a".repeat(1000)}\r`);
  assertEquals(await line, "a".repeat(200));
});
