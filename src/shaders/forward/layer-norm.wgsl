// Layer norm: output[r] = (input[r] − mean) / √(variance + epsilon) · weight + bias, biased variance over the row
// (Ba, Kiros, Hinton 2016).
//
//   input, output  F32 [rows, width]      weight, bias  F32 [width]
//
// One workgroup per row. The mean comes first, then the deviations' sum and sum of squares in a second pass. Their corrected
// form (Chan, Golub, LeVeque 1983, equation 1.7) keeps the small elements of a row next to a massive one. Includes
// snippets/kept-sum.wgsl and snippets/deviations.wgsl, whose sums are compensated.

struct Shape {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let elements = shape.width;
  let row = workgroup.x * elements;
  let width = f32(elements);

  var sum = 0.0;
  for (var i = thread; i < elements; i += threads) {
    sum += input[row + i];
  }
  let roughMean = sumOverThreads(thread, vec2(sum, 0.0)).x / width;

  var deviations = Compensated();
  for (var i = thread; i < elements; i += threads) {
    let deviation = input[row + i] - roughMean;
    deviations = add(deviations, vec2(deviation, deviation * deviation));
  }
  let sums = sumOverThreads(thread, deviations.sum);
  let correction = sums.x / width;
  let variance = max(0.0, sums.y / width - correction * correction) + shape.epsilon;

  // One Newton step: inverseSqrt alone may be off by 2 units in the last place.
  let rough = inverseSqrt(variance);
  let scale = rough * (1.5 - 0.5 * variance * rough * rough);
  for (var i = thread; i < elements; i += threads) {
    output[row + i] = (input[row + i] - roughMean - correction) * scale * weight[i] + bias[i];
  }
}
