/** Options that an image has in its section `.ringside`. */
import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { readImage } from "../../vm/boot/image.ts";
import { withImageOptions } from "../../vm/cli/image_options.ts";
import { InputError } from "../../vm/cli/errors.ts";
import { OPTIONS_SECTION } from "../../vm/cli/settings.ts";
import { parseCommandLine } from "../../vm/cli/parse.ts";
import { CommandFolder } from "../support/command.ts";

const demo = readImage(Deno.readFileSync("images/demo.elf"), { name: "a.elf" });

/** An image that asks for `text`. */
function asking(text: string): typeof demo {
  const section = { name: OPTIONS_SECTION, type: 1, flags: 0n, addr: 0n, size: 0n, link: 0 };
  return { ...demo, elf: { ...demo.elf!, sections: [{ ...section, data: new TextEncoder().encode(text) }] } };
}

/** What is added to the settings of a command line. */
function words(text: string, line: string): string | undefined {
  return withImageOptions(parseCommandLine([...line.split(" "), "a.elf"].filter((w) => w !== "")), asking(text))?.words;
}

Deno.test("an image without the section changes nothing", () => {
  assertEquals(withImageOptions(parseCommandLine(["a.elf"]), demo), undefined);
  assertEquals(words(" \n", ""), undefined);
});

Deno.test("what the image asks for is taken, and the command line goes first", () => {
  const text = "--virtio-version 1 --device blk,ro\n--device=rng,packed=on,version=2 --timeout-insns 2M\0";
  assertEquals(
    words(text, ""),
    "--virtio-version 1 --device blk,ro --device rng,packed=on,version=2 --timeout-insns 2000000",
  );
  assertEquals(words(text, "--virtio-version 2 --timeout 3s"), "--device blk,ro --device rng,packed=on,version=2");
  assertEquals(words("--device rng --device blk,ro", "--drive x.img"), "--device rng");
  assertEquals(words("--device blk,ro", "--no-default-devices"), undefined);
  const { settings } = withImageOptions(parseCommandLine(["--device", "rng", "a.elf"]), asking("--device blk,ro"))!;
  assertEquals(settings.devices.map(({ kind, readOnly }) => [kind, readOnly]), [["rng", undefined], ["blk", true]]);
});

Deno.test("an image that asks for more than devices, or for the host, is refused", () => {
  for (
    const [text, message] of [
      ["--trace=x", 'expected only --device, --virtio-version, --timeout-insns, got "--trace=x"'],
      ["-h", 'got "-h"'],
      ["--device blk,overlay=x", "cannot reach the host|unknown parameter"],
      ["--device console,to=file:x", 'an image cannot reach the host, got "x"'],
      ["--device console,port=a@unix:/run/s", "an image cannot reach the host"],
      ["--device blk,packed=maybe", "--device: packed: expected"],
      ["--virtio-version 3", "--virtio-version: expected 1 or 2"],
      ["other.elf", "one image expected"],
    ] as const
  ) {
    const error = assertThrows(() => words(text, ""), InputError, `a.elf: section ${OPTIONS_SECTION}: `, text);
    assertMatch(error.message, new RegExp(message), text);
  }
});

Deno.test("--check on an image of the gallery finds its mistake without any option, and says what the image asked for", async () => {
  using folder = new CommandFolder();
  for (
    const [name, asked] of [["legacy_byte_address", "--virtio-version 1"], [
      "packed_id_in_flight",
      "--device blk,packed=on",
    ]]
  ) {
    const image = folder.write(`${name}.elf`, Deno.readFileSync(`images/gallery/${name}.elf`));
    const { stderr } = await folder.run(["--check", image]);
    assertEquals(stderr.split("\n")[0], `ringside: ${image} asks for ${asked}`);
    assertMatch(stderr, /^error: virtio1 \(block device\): /m);
  }
});
