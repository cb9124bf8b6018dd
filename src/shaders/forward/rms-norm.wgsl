// RMS norm: output[r] = input[r] / √(mean of input[r]² + epsilon) · weight (Zhang and Sennrich 2019).
//
//   input, output  F32 [rows, width]      weight  F32 [width]
//
// One workgroup per row, its threads side by side along it. No mean is subtracted: nothing cancels, and a massive element
// costs the others nothing. Includes snippets/kept-sum.wgsl and snippets/sum-of-squares.wgsl.

struct Shape {
  rows: u32,
  width: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = workgroup.x * shape.width;
  var squares = Compensated();
  for (var i = thread; i < shape.width; i += threads) {
    squares = addSquare(squares, input[row + i]);
  }
  let scale = inverseRoot(sumOverThreads(thread, squares.sum) / f32(shape.width), shape.epsilon);
  for (var i = thread; i < shape.width; i += threads) {
    output[row + i] = input[row + i] * scale * weight[i];
  }
}
