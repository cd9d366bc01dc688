import { assertEquals } from "@std/assert";
import { ConsoleRoute } from "../../vm/cli/console_route.ts";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A route with what it wrote, how often it woke the machine, and ports that read as text and count their calls. */
function setUp(input?: string) {
  const host = { out: "", wakes: 0 };
  const route = new ConsoleRoute({
    output: (bytes) => host.out += new TextDecoder().decode(bytes),
    input,
    wake: () => host.wakes++,
  });
  const port = (name: string) => {
    const end = route.port(name);
    const calls = { count: 0 };
    end.onReadable(() => calls.count++);
    return {
      write: (text: string) => end.write(encode(text)),
      read: (max = 99) => new TextDecoder().decode(end.read(max)),
      calls,
      readable: () => end.readable,
    };
  };
  return { host, route, uart: port("uart"), virtio: port("virtio0") };
}

Deno.test("the output of all consoles goes to one place, in order", () => {
  const { host, uart, virtio } = setUp();
  uart.write("a");
  virtio.write("b");
  uart.write("c");
  assertEquals(host.out, "abc");
});

Deno.test("input goes where the guest wrote last, and waits until it is taken", () => {
  const { route, host, uart, virtio } = setUp();
  uart.write("$ ");
  route.feed(encode("one"));
  assertEquals([virtio.readable(), uart.readable()], [0, 3]);
  assertEquals([virtio.read(), uart.read(2)], ["", "on"]);
  assertEquals([host.wakes, uart.calls.count, virtio.calls.count], [1, 1, 0]);
  virtio.write("> "); // the rest is for the other one now, and it is told
  assertEquals(virtio.calls.count, 1);
  assertEquals([uart.read(), virtio.read(), virtio.read()], ["", "e", ""]);
  assertEquals(route.waiting, 0);
});

Deno.test("before the guest has written anywhere, whoever reads first gets the input", () => {
  const { route, uart, virtio } = setUp();
  route.feed(encode("ab"));
  assertEquals([uart.calls.count, virtio.calls.count], [1, 1]);
  assertEquals([virtio.read(1), uart.read(1)], ["a", "b"]);
});

Deno.test("a chosen console gets the input wherever the guest writes", () => {
  const { route, uart, virtio } = setUp("virtio0");
  route.feed(encode("x"));
  uart.write("boot\n");
  assertEquals([uart.read(), virtio.read()], ["", "x"]);
  assertEquals(uart.calls.count, 0);
});

Deno.test("the bytes fed are copied, and nothing is lost between chunks", () => {
  const { route, uart } = setUp();
  const buffer = encode("ab");
  route.feed(buffer);
  buffer.fill(0);
  route.feed(encode("cd"));
  route.feed(encode(""));
  assertEquals([uart.read(3), uart.read(3), uart.read(3), uart.read(0)], ["ab", "cd", "", ""]);
});

Deno.test("a source is held back while much input waits", async () => {
  const { route, uart } = setUp();
  await route.room();
  route.feed(new Uint8Array(70_000));
  let room = false;
  const waiting = route.room().then(() => room = true);
  await Promise.resolve();
  assertEquals(room, false);
  uart.read(10_000);
  await waiting;
  assertEquals(room, true);
});
