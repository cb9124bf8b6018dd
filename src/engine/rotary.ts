/**
 * The cosines and sines of rotary position embedding, rounded where the reference rounds: inverse frequencies,
 * angles and the tables themselves are float32 (transformers' GPTNeoXRotaryEmbedding).
 *
 * @param positions number of positions, from 0
 * @param dimensions rotated dimensions of a head; where odd, the middle pair is whole all the same
 * @returns two tables F32 [positions, ceil(dimensions / 2)]; column i turns by position · base^(−2i / dimensions) radians.
 */
export function rotaryTables(
  positions: number,
  dimensions: number,
  base: number,
): { cosines: Float32Array; sines: Float32Array } {
  const half = Math.ceil(dimensions / 2);
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let pair = 0; pair < half; pair++) {
    const power = Math.fround(base ** Math.fround((2 * pair) / dimensions));
    const inverseFrequency = Math.fround(1 / power);
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * inverseFrequency);
      cosines[position * half + pair] = Math.cos(angle);
      sines[position * half + pair] = Math.sin(angle);
    }
  }
  return { cosines, sines };
}
