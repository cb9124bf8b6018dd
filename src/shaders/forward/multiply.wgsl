// Elementwise product, in place: values[r, i] ← values[r, i] · factors[r, i]. It ends the hidden layer of a gated MLP
// (Shazeer 2020: GLU Variants Improve Transformer).
//
//   values, factors  F32 [rows, width]
//
// One thread per element; the grid is (width / 64, rows).

struct Shape {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> factors: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  if (global.x >= shape.width || global.y >= shape.rows) {
    return;
  }
  let at = global.y * shape.width + global.x;
  values[at] = values[at] * factors[at];
}
