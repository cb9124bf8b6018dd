// Sums of products beyond float32, for kernels whose threads project vectors: numbers below one are cut into a digit of 10 bits
// and the rest, and sums of digits are whole numbers, kept in two parts. project-vectors.wgsl says why nothing that matters
// is lost.

struct Split {
  digit: vec4<f32>,
  rest: vec4<f32>,
}

struct Sums {
  high: vec4<f32>, // in units of 2^-8
  low: vec4<f32>, // 2^-20
  rest: vec4<f32>, // 2^-20
}

// 1024 x as a whole number and what is left.
fn split(x: vec4<f32>) -> Split {
  let scaled = 1024.0 * x;
  let digit = round(scaled);
  return Split(digit, scaled - digit);
}

fn added(sums: Sums, whole: vec4<f32>, rest: vec4<f32>) -> Sums {
  let high = round(whole * 0x1p-12f);
  return Sums(sums.high + high, sums.low + (whole - 4096.0 * high), sums.rest + rest);
}

fn value(sums: Sums) -> vec4<f32> {
  let carry = round(sums.low * 0x1p-12f);
  return ((sums.low - 4096.0 * carry) + sums.rest) * 0x1p-20f + (sums.high + carry) * 0x1p-8f;
}
