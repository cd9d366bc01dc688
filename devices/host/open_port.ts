/** Opens what a console's port is to be joined to. */
import { FilePort, type HostPort, LoopbackPort, NullPort, type PortHost } from "./ports.ts";
import type { Stream } from "./stream_port.ts";

/** What is to be opened: pipes by the name of both, sockets by their addresses. */
export type PortPlace =
  | { readonly kind: "null" | "loop" }
  | { readonly kind: "file" | "pipe" | "unix" | "unix-listen"; readonly path: string }
  | { readonly kind: "tcp" | "tcp-listen"; readonly hostname: string; readonly port: number };

/** Opens `place`; connects and listens before it returns. Throws what `Deno` does where it cannot. */
export async function openPort(place: PortPlace, host: PortHost): Promise<HostPort> {
  switch (place.kind) {
    case "null":
      return new NullPort();
    case "loop":
      return new LoopbackPort();
    case "file":
      return new FilePort(place.path, host);
    case "pipe":
      return await streamPort(host, openPipes(place.path));
    case "tcp":
      return await streamPort(host, await Deno.connect({ hostname: place.hostname, port: place.port }));
    case "unix":
      return await streamPort(host, await Deno.connect({ transport: "unix", path: place.path }));
    case "tcp-listen":
      return await listeningPort(host, Deno.listen({ hostname: place.hostname, port: place.port }));
    case "unix-listen": {
      removeSocket(place.path);
      return await listeningPort(host, Deno.listen({ transport: "unix", path: place.path }));
    }
  }
}

async function streamPort(host: PortHost, stream: Stream): Promise<HostPort> {
  const { StreamPort } = await import("./stream_port.ts");
  const port = new StreamPort(host);
  port.serve(stream);
  return port;
}

async function listeningPort(
  host: PortHost,
  listener: { accept(): Promise<Stream>; close(): void },
): Promise<HostPort> {
  const { StreamPort } = await import("./stream_port.ts");
  const port = new StreamPort(host);
  const release = host.hold();
  port.listen(listener).finally(release);
  const close = port.close.bind(port);
  port.close = (): void => {
    close();
    listener.close();
  };
  return port;
}

/** The socket that an earlier run left behind is in the way; anything else is not ours to remove. */
function removeSocket(path: string): void {
  try {
    if (Deno.lstatSync(path).isSocket) Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The named pipes PATH.in, for what goes to the guest, and PATH.out. */
function openPipes(path: string): Stream {
  // Opened both ways: opening waits for nobody, and neither end ever sees the other go away.
  const both = { read: true, write: true } as const;
  const input = Deno.openSync(`${path}.in`, both);
  try {
    const output = Deno.openSync(`${path}.out`, both);
    return {
      read: (target) => input.read(target),
      write: (bytes) => output.write(bytes),
      close: () => {
        input.close();
        output.close();
      },
    };
  } catch (error) {
    input.close();
    throw error;
  }
}
