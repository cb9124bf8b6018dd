/** Compares names for sorting as people count: runs of digits by their number, so that layer.2 precedes layer.10. */
export function naturalOrder(a: string, b: string): number {
  const [left, right] = [pieces(a), pieces(b)];
  for (let index = 0; index < Math.min(left.length, right.length); index++) {
    const [x, y] = [left[index]!, right[index]!];
    if (x === y) continue;
    const areNumbers = /^\d/.test(x) && /^\d/.test(y);
    const difference = areNumbers ? Number(x) - Number(y) : 0;
    if (difference !== 0 && !Number.isNaN(difference)) return difference;
    return x < y ? -1 : 1;
  }
  return left.length - right.length;
}

function pieces(name: string): string[] {
  return name.match(/\d+|\D+/g) ?? [];
}
