/** Where a console or UART's bytes come from and go to: the terminal, a scripted session, a socket, a buffer in a test. */
export interface CharPort {
  /**
   * Takes bytes from the guest; they are valid during the call only. Never fails: a host side that cannot take them
   * drops them and says so itself.
   */
  write(bytes: Uint8Array): void;
  /** Up to `max` bytes for the guest, taken from the source; empty when there are none now. Bytes not taken wait. */
  read(max: number): Uint8Array;
  /** Bytes that `read` would give now; absent where only reading tells. */
  readonly readable?: number;
  /** Calls `listener` whenever bytes may have become readable. One listener: the device. */
  onReadable(listener: () => void): void;
  /** Whether somebody is at the other end; absent: always. */
  readonly connected?: boolean;
  /** Whether the host takes no more now, so that the guest's bytes should wait; absent: never. */
  readonly full?: boolean;
  /** Calls `listener` whenever `connected` or `full` may have changed. One listener: the device. */
  onChange?(listener: () => void): void;
  /** The guest has opened or closed its end, where it can. */
  guestOpened?(open: boolean): void;
}
