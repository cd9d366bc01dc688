/**
 * Turns of the event loop. In Deno only `setTimeout` gives a whole one, for 2 ms: while others follow each other
 * (MessageChannel, setImmediate), timers, signals and input wait for a second and more. In a browser nobody waits, and
 * a message takes microseconds.
 */
export class EventLoopTurns {
  readonly #channel: MessageChannel | undefined = "setImmediate" in globalThis ? undefined : new MessageChannel();

  /** Gives the event loop a turn. */
  next(): Promise<void> {
    const channel = this.#channel;
    if (channel === undefined) return new Promise((resolve) => setTimeout(resolve, 0));
    return new Promise((resolve) => {
      channel.port1.onmessage = () => resolve();
      channel.port2.postMessage(0);
    });
  }

  /** An open channel keeps a process alive. */
  close(): void {
    this.#channel?.port1.close();
    this.#channel?.port2.close();
  }
}
