// Weights as their file stores them, for kernels that read them: F32, or two F16 or BF16 in a 32-bit word. A thread
// reads word `wordOf(element)` of its buffer and takes the element out of it with `widen`, exactly: arithmetic is in
// F32 whatever the weights are.

// 0: F32, 1: F16, 2: BF16.
override weightFormat: u32 = 0u;

// Every bit pattern exactly, subnormals too (unpack2x16float may flush them).
fn widenF16(half: u32) -> f32 {
  let sign = (half & 0x8000u) << 16u;
  let magnitude = half & 0x7fffu;
  let isSpecial = magnitude >= 0x7c00u;
  let normal = (magnitude << 13u) + select(0x38000000u, 0x70000000u, isSpecial);
  let subnormal = bitcast<u32>(f32(magnitude) * 5.9604644775390625e-8);
  return bitcast<f32>(sign | select(normal, subnormal, magnitude < 0x0400u));
}

fn wordOf(element: u32) -> u32 {
  return select(element >> 1u, element, weightFormat == 0u);
}

fn widen(word: u32, element: u32) -> f32 {
  if (weightFormat == 0u) {
    return bitcast<f32>(word);
  }
  let half = (word >> ((element & 1u) * 16u)) & 0xffffu;
  if (weightFormat == 1u) {
    return widenF16(half);
  }
  return bitcast<f32>(half << 16u);
}
