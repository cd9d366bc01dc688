/** Where a console or UART's bytes come from and go to: the terminal, a scripted session, a buffer in a test. */
export interface CharPort {
  /** Takes bytes from the guest. Never fails: a host side that cannot take them drops them and says so itself. */
  write(bytes: Uint8Array): void;
  /** Up to `max` bytes for the guest, taken from the source; empty when there are none now. Bytes not taken wait. */
  read(max: number): Uint8Array;
  /** Bytes that `read` would give now; absent where only reading tells. */
  readonly readable?: number;
  /** Calls `listener` whenever bytes may have become readable. One listener: the device. */
  onReadable(listener: () => void): void;
}
