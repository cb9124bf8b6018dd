// What a layer norm divides by, and what it subtracts first: √(variance + epsilon) of each row, biased variance, and the
// row's mean. Where rows are not centred (RMSNorm: Zhang and Sennrich 2019) the mean is 0 and the variance the mean square.
//
//   input       F32 [rows, width]
//   statistics  F32 [rows, 3]: a rough mean, what is to be added to it, the scale
//
// One workgroup per row. Two passes and compensated sums, as in layer-norm.wgsl. Includes snippets/kept-sum.wgsl
// and snippets/deviations.wgsl.

struct Shape {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read_write> statistics: array<f32>;

override centred: bool = true;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let elements = shape.width;
  let row = workgroup.x * elements;
  let width = f32(elements);

  var roughMean = 0.0;
  if (centred) {
    var sum = 0.0;
    for (var i = thread; i < elements; i += threads) {
      sum += input[row + i];
    }
    roughMean = sumOverThreads(thread, vec2(sum, 0.0)).x / width;
  }
  var deviations = Compensated();
  for (var i = thread; i < elements; i += threads) {
    let deviation = input[row + i] - roughMean;
    deviations = add(deviations, vec2(deviation, deviation * deviation));
  }
  let sums = sumOverThreads(thread, deviations.sum);
  let correction = select(0.0, sums.x / width, centred);
  let variance = max(0.0, sums.y / width - correction * correction) + shape.epsilon;
  // sqrt may be as inexact as inverseSqrt: one step of Newton's.
  let root = sqrt(variance);
  if (thread == 0u) {
    statistics[3u * workgroup.x] = roughMean;
    statistics[3u * workgroup.x + 1u] = correction;
    statistics[3u * workgroup.x + 2u] = select(0.0, 0.5 * (root + variance / root), variance > 0.0);
  }
}
