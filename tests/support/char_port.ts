/** A character port for tests: keeps what the guest wrote, and gives it what the test types. */
import type { CharPort } from "../../devices/char_port.ts";

export class TestPort implements CharPort {
  output = "";
  /** Sizes of the pieces the guest's output came in. */
  readonly pieces: number[] = [];
  #input = new Uint8Array(0);
  #listener: () => void = () => {};

  write(bytes: Uint8Array): void {
    this.output += new TextDecoder("latin1").decode(bytes);
    this.pieces.push(bytes.length);
  }

  read(max: number): Uint8Array {
    const taken = this.#input.slice(0, max);
    this.#input = this.#input.slice(max);
    return taken;
  }

  onReadable(listener: () => void): void {
    this.#listener = listener;
  }

  type(text: string): void {
    this.#input = Uint8Array.of(...this.#input, ...new TextEncoder().encode(text));
    this.#listener();
  }

  /** Bytes the guest has not taken. */
  get waiting(): number {
    return this.#input.length;
  }
}
