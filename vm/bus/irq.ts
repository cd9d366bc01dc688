/** A level-sensitive interrupt line from a device to its controller. */
export interface IrqLine {
  /** Sets the level; setting the same level again changes nothing. */
  set(level: boolean): void;
}
