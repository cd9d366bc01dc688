/** The host's ends of console ports: files, pipes and sockets, as a console uses them. */
import { assert, assertEquals, assertRejects } from "@std/assert";
import { openPort, type PortPlace } from "../../../devices/host/open_port.ts";
import type { HostPort, PortHost } from "../../../devices/host/ports.ts";
import type { Stream } from "../../../devices/host/stream_port.ts";

/** A run that waits for input: it can be awaited, and says what it was told. */
class TestHost implements PortHost {
  holds = 0;
  readonly reports: string[] = [];
  #woken: () => void = () => {};

  wake(): void {
    this.#woken();
  }

  hold(): () => void {
    this.holds++;
    return () => this.holds--;
  }

  report(text: string): void {
    this.reports.push(text);
  }

  /** Resolves when `ready` holds; looked at whenever something happened. */
  async until(ready: () => boolean): Promise<void> {
    const limit = Date.now() + 10_000;
    while (!ready()) {
      if (Date.now() > limit) throw new Error("nothing happened for ten seconds");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, 5);
        this.#woken = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }
}

const text = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);
const bytes = (string: string): Uint8Array => new TextEncoder().encode(string);

/** Everything that comes until `length` bytes are there. */
async function receive(host: TestHost, port: HostPort, length: number): Promise<string> {
  let got = "";
  await host.until(() => {
    got += text(port.read(7));
    return got.length >= length;
  });
  return got;
}

async function receiveFrom(stream: Stream, length: number): Promise<string> {
  let got = "";
  const buffer = new Uint8Array(1000);
  while (got.length < length) {
    const count = await stream.read(buffer);
    if (count === null) break;
    got += text(buffer.subarray(0, count));
  }
  return got;
}

async function withFolder(run: (folder: string) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "ringside-ports-" });
  try {
    await run(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

/** Bytes both ways between a port and the stream at its other end. */
async function exchange(host: TestHost, port: HostPort, peer: Stream): Promise<void> {
  await host.until(() => port.connected === true);
  port.write(bytes("from the guest"));
  await port.flush!();
  assertEquals(await receiveFrom(peer, 14), "from the guest");
  await peer.write(bytes("to the guest"));
  assertEquals(await receive(host, port, 12), "to the guest");
  assertEquals(port.read(100).length, 0);
}

for (const transport of ["tcp", "unix"] as const) {
  Deno.test(`${transport}: a port connects, and hears when the other end goes away`, () =>
    withFolder(async (folder) => {
      const host = new TestHost();
      const listener = transport === "tcp"
        ? Deno.listen({ hostname: "127.0.0.1", port: 0 })
        : Deno.listen({ transport: "unix", path: `${folder}/s` });
      const place: PortPlace = transport === "tcp"
        ? { kind: "tcp", hostname: "127.0.0.1", port: (listener.addr as Deno.NetAddr).port }
        : { kind: "unix", path: `${folder}/s` };
      const accepted = listener.accept();
      const port = await openPort(place, host);
      const peer = await accepted;
      await exchange(host, port, peer);
      assertEquals(host.holds, 1, "input may come");
      let changes = 0;
      port.onChange!(() => changes++);
      await peer.write(bytes("last words"));
      peer.close();
      await host.until(() => port.connected === false);
      assertEquals([text(port.read(100)), changes, host.holds], ["last words", 1, 0]);
      port.write(bytes("to nobody"));
      port.close();
      listener.close();
      await assertRejects(() => openPort(place, host), Error, "(os error");
    }));

  Deno.test(`${transport}: a port listens, for one after the other`, () =>
    withFolder(async (folder) => {
      const host = new TestHost();
      const place: PortPlace = transport === "tcp"
        ? { kind: "tcp-listen", hostname: "127.0.0.1", port: freePort() }
        : { kind: "unix-listen", path: `${folder}/s` };
      const port = await openPort(place, host);
      assertEquals([port.connected, host.holds], [false, 1]);
      port.write(bytes("before anybody came"));
      for (let i = 0; i < 2; i++) {
        const peer = place.kind === "tcp-listen"
          ? await Deno.connect({ hostname: place.hostname, port: place.port })
          : await Deno.connect({ transport: "unix", path: `${folder}/s` });
        await exchange(host, port, peer);
        peer.close();
        await host.until(() => port.connected === false);
      }
      port.close();
      await host.until(() => host.holds === 0);
      // What an earlier run left behind is not in the way.
      if (place.kind === "unix-listen") (await openPort(place, host)).close();
      await host.until(() => host.holds === 0);
    }));
}

function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  listener.close();
  return (listener.addr as Deno.NetAddr).port;
}

Deno.test("a peer that does not read makes the port full, and one that reads again empties it", () =>
  withFolder(async (folder) => {
    const host = new TestHost();
    const listener = Deno.listen({ transport: "unix", path: `${folder}/s` });
    const accepted = listener.accept();
    const port = await openPort({ kind: "unix", path: `${folder}/s` }, host);
    const peer = await accepted;
    const chunk = new Uint8Array(65536).fill(0x61);
    let sent = 0;
    while (port.full !== true) {
      port.write(chunk);
      sent += chunk.length;
      await new Promise((resolve) => setTimeout(resolve, 0));
      assert(sent < 64 << 20, "never full");
    }
    let changes = 0;
    port.onChange!(() => changes++);
    assertEquals((await receiveFrom(peer, sent)).length, sent);
    await host.until(() => port.full === false);
    assertEquals(changes, 1);
    port.close();
    peer.close();
    listener.close();
  }));

Deno.test("input that nobody takes stops being read", () =>
  withFolder(async (folder) => {
    const host = new TestHost();
    const port = await openPort({ kind: "unix-listen", path: `${folder}/s` }, host);
    const peer = await Deno.connect({ transport: "unix", path: `${folder}/s` });
    let stalled = false;
    const chunk = new Uint8Array(65536).fill(0x62);
    const total = 64;
    const writing = (async () => {
      for (let i = 0; i < total; i++) {
        for (let done = 0; done < chunk.length;) done += await peer.write(chunk.subarray(done));
      }
    })();
    const timer = setTimeout(() => stalled = true, 200);
    await host.until(() => stalled);
    assert(port.readable! < 1 << 18, `${port.readable} bytes wait`);
    let got = 0;
    await host.until(() => (got += port.read(1 << 20).length) >= total * chunk.length);
    await writing;
    clearTimeout(timer);
    peer.close();
    port.close();
    await host.until(() => host.holds === 0);
  }));

/** A port whose two pipes have just been made. */
async function pipePort(path: string): Promise<{ host: TestHost; port: HostPort }> {
  for (const end of ["in", "out"]) {
    assert(new Deno.Command("mkfifo", { args: [`${path}.${end}`] }).outputSync().success);
  }
  const host = new TestHost();
  return { host, port: await openPort({ kind: "pipe", path }, host) };
}

Deno.test({
  name: "pipes: PATH.in and PATH.out",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      const { host, port } = await pipePort(`${folder}/p`);
      const input = Deno.openSync(`${folder}/p.in`, { read: true, write: true });
      const output = Deno.openSync(`${folder}/p.out`, { read: true, write: true });
      await exchange(host, port, { read: (b) => output.read(b), write: (b) => input.write(b), close: () => {} });
      port.close();
      // The read that was under way ends with what comes next.
      input.writeSync(bytes("x"));
      await host.until(() => host.holds === 0);
      input.close();
      output.close();
      await assertRejects(() => openPort({ kind: "pipe", path: `${folder}/none` }, host), Deno.errors.NotFound);
    }),
});

Deno.test({
  name: "a pipe whose reader vanishes keeps what the guest sends for the next one, and then has no room",
  ignore: Deno.build.os === "windows",
  fn: () =>
    withFolder(async (folder) => {
      const { host, port } = await pipePort(`${folder}/p`);
      const reader = Deno.openSync(`${folder}/p.out`, { read: true });
      port.write(bytes("first"));
      await port.flush!();
      assertEquals(await receiveFrom(reader, 5), "first");
      reader.close();
      let sent = 0;
      const chunk = new Uint8Array(1 << 16).fill(0x63);
      while (port.full !== true) {
        port.write(chunk);
        sent += chunk.length;
        await new Promise((resolve) => setTimeout(resolve, 0));
        assert(sent < 8 << 20, "never full");
      }
      assertEquals([port.connected, host.reports], [true, []]);
      const next = Deno.openSync(`${folder}/p.out`, { read: true });
      assertEquals((await receiveFrom(next, sent)).length, sent);
      await host.until(() => port.full === false);
      port.close();
      next.close();
      // The read that was under way ends with what comes next.
      Deno.writeTextFileSync(`${folder}/p.in`, "x");
      await host.until(() => host.holds === 0);
    }),
});

Deno.test("a file takes what the guest sends; one that takes no more is as if unplugged", () =>
  withFolder(async (folder) => {
    const host = new TestHost();
    Deno.writeTextFileSync(`${folder}/log`, "what was there before, and is longer");
    const port = await openPort({ kind: "file", path: `${folder}/log` }, host);
    port.write(bytes("one "));
    port.write(bytes("two"));
    port.close();
    assertEquals(Deno.readTextFileSync(`${folder}/log`), "one two");
    const full = await openPort({ kind: "file", path: "/dev/full" }, host);
    let changes = 0;
    full.onChange!(() => changes++);
    assertEquals(full.connected, true);
    full.write(bytes("x"));
    full.write(bytes("y"));
    assertEquals([full.connected, changes, host.reports.length], [false, 1, 1]);
    assert(host.reports[0]!.startsWith("/dev/full: cannot be written: No space left"));
    full.close();
  }));

Deno.test("a loopback gives back what it got, and has an end of its patience", async () => {
  const port = await openPort({ kind: "loop" }, new TestHost());
  let changes = 0;
  port.onChange!(() => changes++);
  port.write(bytes("echo"));
  assertEquals([text(port.read(2)), text(port.read(9)), port.read(1).length], ["ec", "ho", 0]);
  port.write(new Uint8Array(1 << 16));
  assertEquals(port.full, true);
  port.read(1);
  assertEquals([port.full, changes], [false, 1]);
  const nowhere = await openPort({ kind: "null" }, new TestHost());
  nowhere.write(bytes("x"));
  assertEquals(nowhere.read(1).length, 0);
});
