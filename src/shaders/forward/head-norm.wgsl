// RMS norm of each head, in place (the query and key norms of Qwen 3):
//
//   head ← head / √(mean of head² + epsilon) · weight
//
//   values  F32 [positions, stride], of which head h stands at offset + h·headStride, headWidth long
//   weight  F32 [headWidth], the same for all heads
//
// One workgroup per head of a position; the grid is (positions, heads). Includes snippets/kept-sum.wgsl
// and snippets/sum-of-squares.wgsl.

struct Shape {
  stride: u32,
  headWidth: u32,
  headStride: u32,
  // From a row's start to the first head.
  offset: u32,
  epsilon: f32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let head = workgroup.x * shape.stride + shape.offset + workgroup.y * shape.headStride;
  var squares = Compensated();
  for (var i = thread; i < shape.headWidth; i += threads) {
    squares = addSquare(squares, values[head + i]);
  }
  let scale = inverseRoot(sumOverThreads(thread, squares.sum) / f32(shape.headWidth), shape.epsilon);
  for (var i = thread; i < shape.headWidth; i += threads) {
    values[head + i] = values[head + i] * scale * weight[i];
  }
}
