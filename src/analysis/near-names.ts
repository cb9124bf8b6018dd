/** Most changed letters in a name that was meant. */
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
    return isPart || editDistance(wanted, other) <= Math.min(MAX_DISTANCE, Math.floor(other.length / 3));
  });
}

/** Letters to insert, delete or replace (Levenshtein). */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const change = a[i - 1] === b[j - 1] ? 0 : 1;
      next.push(Math.min(row[j]! + 1, next[j - 1]! + 1, row[j - 1]! + change));
    }
    row = next;
  }
  return row[b.length]!;
}
