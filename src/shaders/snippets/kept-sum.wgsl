// Keeps a compensated sum compensated: a compiler that reassociates, as Mesa 26's does, takes (a + b) − a for b, and leaves
// a plain sum. So each thread sets the last bit of its sum where `epsilon` is negative: it never is, and no compiler knows
// that. The kernel's Shape has the epsilon of a norm.

fn keptSum(sum: f32) -> f32 {
  return bitcast<f32>(bitcast<u32>(sum) | (bitcast<u32>(shape.epsilon) >> 31u));
}
