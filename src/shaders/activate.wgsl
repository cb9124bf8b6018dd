// An activation function by itself, in place, where what stands before it is looked at or changed:
//
//   values  F32 [rows, columns], each x ← activation(x)
//
// One thread an element; the grid is (columns / 64, rows). Includes snippets/activation.wgsl.

struct Shape {
  rows: u32,
  columns: u32,
  activation: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  if (global.x >= shape.columns) {
    return;
  }
  let at = global.y * shape.columns + global.x;
  values[at] = activate(values[at], shape.activation);
}
