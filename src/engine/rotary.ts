/** What the frequencies of rotary position embedding follow from. */
export interface RotaryFrequencies {
  /** r: frequency i is base^(−2i/r), before scaling. If r is odd, the last pair turns whole. */
  readonly dimensions: number;
  readonly base: number;
  readonly scaling?: RotaryScaling | undefined;
}

/**
 * How frequencies are stretched, so that a model reads longer texts than it was first trained on (transformers'
 * modeling_rope_utils). `linear` divides all of them by `factor`. `llama3` divides those whose wavelength is over
 * context / lowFactor, keeps those under context / highFactor, and blends between.
 */
export type RotaryScaling =
  | { readonly type: 'linear'; readonly factor: number }
  | {
      readonly type: 'llama3';
      readonly factor: number;
      readonly lowFactor: number;
      readonly highFactor: number;
      /** Tokens that it was first trained on. */
      readonly context: number;
    };

/**
 * The cosines and sines of rotary position embedding, rounded where the reference rounds: inverse frequencies,
 * angles and the tables themselves are float32 (transformers' GPTNeoXRotaryEmbedding and LlamaRotaryEmbedding).
 *
 * @param positions number of positions, from 0
 * @returns two tables F32 [positions, ceil(dimensions / 2)]; column i turns by position · frequency i radians.
 */
export function rotaryTables(
  positions: number,
  { dimensions, base, scaling }: RotaryFrequencies,
): { cosines: Float32Array; sines: Float32Array } {
  const half = Math.ceil(dimensions / 2);
  const cosines = new Float32Array(positions * half);
  const sines = new Float32Array(positions * half);
  for (let pair = 0; pair < half; pair++) {
    const power = Math.fround(base ** Math.fround((2 * pair) / dimensions));
    const frequency = scaled(Math.fround(1 / power), scaling);
    for (let position = 0; position < positions; position++) {
      const angle = Math.fround(position * frequency);
      cosines[position * half + pair] = Math.cos(angle);
      sines[position * half + pair] = Math.sin(angle);
    }
  }
  return { cosines, sines };
}

function scaled(frequency: number, scaling: RotaryScaling | undefined): number {
  if (!scaling) return frequency;
  const stretched = Math.fround(frequency / scaling.factor);
  if (scaling.type === 'linear') return stretched;
  const { factor, lowFactor, highFactor, context } = scaling;
  const { fround } = Math;
  const wavelength = fround((2 * Math.PI) / frequency);
  if (wavelength < context / highFactor) return frequency;
  if (wavelength > context / lowFactor) return stretched;
  const kept = fround(fround(fround(context / wavelength) - lowFactor) / (highFactor - lowFactor));
  return fround(fround(fround(fround(1 - kept) * frequency) / factor) + fround(kept * frequency));
}
