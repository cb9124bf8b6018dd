// An activation function by itself, in place. It follows a product without one, or a product whose result is looked at or
// changed before.
//
//   values  F32 [rows, stride]; each x of the columns first … first + columns - 1 ← activation(x)
//
// One thread per element; the grid is (columns / 64, rows). The function is a constant: some adapters compute every branch
// that the code has, whichever is taken. Includes snippets/activation.wgsl.

struct Shape {
  rows: u32,
  columns: u32,
  stride: u32,
  first: u32,
}

// A code of `activate`.
override activation: u32 = 0u;

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  if (global.x >= shape.columns) {
    return;
  }
  let at = global.y * shape.stride + shape.first + global.x;
  values[at] = activate(values[at], activation);
}
