/** A class whose instances are `E`; abstract ones too, since only `instanceof` is asked of it. */
// deno-lint-ignore no-explicit-any -- a constructor's parameters play no part in `instanceof`
export type ClassOf<E> = abstract new (...args: any[]) => E;

/** What every failed assertion throws. */
export class AssertionError extends Error {
  constructor(message: string, options?: ErrorOptions);
}

/** Whether two values are equal all the way down. */
export function equal(a: unknown, b: unknown): boolean;

/** Fails unless `expr` is truthy, and narrows it. */
export function assert(expr: unknown, msg?: string): asserts expr;
/** Fails unless `expr` is falsy, and narrows it. */
export function assertFalse(expr: unknown, msg?: string): asserts expr is false | 0 | 0n | "" | null | undefined;
/** Fails if `actual` is null or undefined, and narrows it. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;

/** Fails unless the two are equal all the way down; the message shows the difference. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails if the two are equal all the way down. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless the two are the same value by `Object.is`, and narrows the first. */
export function assertStrictEquals<T>(actual: unknown, expected: T, msg?: string): asserts actual is T;
/** Fails if the two are the same value by `Object.is`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless the two differ by at most `tolerance` (default: one in ten million of the expected value). */
export function assertAlmostEquals(actual: number, expected: number, tolerance?: number, msg?: string): void;
/** Fails unless `actual` has every property of `expected`, with equal values, at every depth. */
export function assertObjectMatch(
  actual: Record<PropertyKey, unknown>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void;

/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;

/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
/** Fails unless `expected` matches `actual`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
/** Fails if `expected` matches `actual`. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
/** Fails unless every element of `expected` equals one of `actual`. */
export function assertArrayIncludes<T>(actual: ArrayLike<T>, expected: ArrayLike<T>, msg?: string): void;
/** Fails unless `actual` is an instance of `expectedType`, and narrows it. */
export function assertInstanceOf<T>(actual: unknown, expectedType: ClassOf<T>, msg?: string): asserts actual is T;

/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `ErrorClass` whose message includes `msgIncludes`; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  ErrorClass: ClassOf<E>,
  msgIncludes?: string,
  msg?: string,
): E;

/** Fails unless the promise `fn` returns rejects; gives the reason. A synchronous throw is a failure. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise `fn` returns rejects with an `ErrorClass` whose message includes `msgIncludes`; gives it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  ErrorClass: ClassOf<E>,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;

/** Fails. */
export function fail(msg?: string): never;
/** Fails: for a place the test must not come to. */
export function unreachable(msg?: string): never;
