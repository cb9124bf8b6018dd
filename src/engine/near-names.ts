/** The maximum number of changed letters in a name that was meant. */
const MAX_DISTANCE = 3;

/**
 * What to say after an unknown name: the names that it may stand for, or all of them.
 * @returns such as `did you mean rankme? Known are alpha_req, isoscore, rankme`
 */
export function nearNames(name: string, known: readonly string[]): string {
  const meant = meantNames(name, known);
  const all = known.join(', ');
  return meant.length > 0 ? `did you mean ${meant.join(' or ')}? Known are ${all}` : `known are ${all}`;
}

/** The known names that a name may stand for: those that differ in dashes or case, else those that hold it or are near it. */
export function meantNames(name: string, known: readonly string[]): string[] {
  const plain = (text: string) => text.toLowerCase().replaceAll(/[-_ ]/g, '');
  const wanted = plain(name);
  const same = known.filter((candidate) => plain(candidate) === wanted);
  if (same.length > 0) return same;
  return known.filter((candidate) => {
    const other = plain(candidate);
    const isPart = wanted.length > 2 && (other.includes(wanted) || wanted.includes(other));
    const max = Math.min(MAX_DISTANCE, Math.floor(other.length / 3));
    return isPart || editDistance(wanted, other, max + 1) <= max;
  });
}

/**
 * The name that is nearest to a given one, by insertions, deletions and substitutions, and of those the one that begins most
 * like it; undefined if none is near. A different number is another layer, not a spelling mistake: it counts twice.
 */
export function nearestName(name: string, names: Iterable<string>): string | undefined {
  let nearest: string | undefined;
  let min = Math.ceil(name.length / 2) - 1;
  let alike = -1;
  for (const other of names) {
    if (Math.abs(other.length - name.length) > min) continue;
    const distance = editDistance(name, other, min + 1, /\d/);
    const beginning = commonStart(name, other);
    if (distance < min || (distance === min && beginning > alike)) {
      min = distance;
      alike = beginning;
      nearest = other;
    }
  }
  return nearest;
}

function commonStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length += 1;
  return length;
}

/**
 * Letters to insert, delete or replace (Levenshtein), or `limit` if there are at least as many.
 * @param heavy letters whose replacement counts twice
 */
function editDistance(a: string, b: string, limit: number, heavy?: RegExp): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const [from, to] = [a[i - 1]!, b[j - 1]!];
      const change = from === to ? 0 : heavy?.test(from + to) ? 2 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + change));
    }
    if (Math.min(...next) >= limit) return limit;
    row = next;
  }
  return Math.min(limit, row[b.length]!);
}
