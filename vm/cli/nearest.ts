/** "Did you mean": the valid name nearest to a mistyped one. */

/** Edits (insert, delete, replace, swap two neighbours) that turn `a` into `b`. */
function distance(a: string, b: string): number {
  let before: number[] = [];
  let last = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        row[j] = Math.min(row[j]!, before[j - 2]! + 1);
      }
    }
    before = last;
    last = row;
  }
  return last[b.length]!;
}

/** The one of `names` nearest to `typed`; undefined if none is near enough to be what was meant. */
export function nearest(typed: string, names: readonly string[]): string | undefined {
  const wanted = typed.slice(0, 64).toLowerCase();
  let best: string | undefined;
  let least = Infinity;
  for (const name of names) {
    // A name that begins as typed is meant more likely than one that is as many edits away.
    const prefix = wanted.length > 1 && name.startsWith(wanted) ? 0.5 : Infinity;
    const edits = Math.min(prefix, distance(wanted, name.toLowerCase()));
    if (edits < least) [best, least] = [name, edits];
  }
  return least <= Math.max(1, Math.floor(wanted.length / 3)) ? best : undefined;
}

/** `; did you mean X?` for messages, or nothing. */
export function didYouMean(typed: string, names: readonly string[], show: (name: string) => string = String): string {
  const name = nearest(typed, names);
  return name === undefined ? "" : `; did you mean ${show(name)}?`;
}
