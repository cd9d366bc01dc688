/** An image that cannot be booted. The message is one line for the user: file, what is wrong, expected and found. */
export class ImageError extends Error {
  /** Tells it from other errors. */
  override readonly name = "ImageError";
}
