/** A program that takes the terminal and leaves in the way its argument says; `terminal_test.ts` runs it. */
import { Terminal } from "../../../devices/host/terminal.ts";

const way = Deno.args[0];
const terminal = new Terminal({
  sink: { feed: (bytes) => terminal.write(bytes), room: () => Promise.resolve() },
  onEscape: (code) => {
    if (code === 0x78) leave();
    return undefined;
  },
  onSignal: () => Deno.exit(130),
});
const said = (text: string): void => terminal.write(new TextEncoder().encode(text));

function leave(): void {
  said("<left>");
  terminal.close();
  Deno.exit(0);
}

terminal.start();
said("<ready>");
await new Promise((resolve) => setTimeout(resolve, 10));
said("<last words>");
if (way === "exit") Deno.exit(3);
if (way === "throw") throw new Error("on purpose");
if (way === "signal") Deno.kill(Deno.pid, "SIGTERM");
