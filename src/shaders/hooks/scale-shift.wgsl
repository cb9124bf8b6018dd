// The end of a norm, in place: values[r] ← values[r] · weight + bias, or values[r] · weight where it is not `shifted`.
//
//   values  F32 [rows, width]     weight, bias  F32 [width]
//
// One thread per element; the grid is (columns / 64, rows).

struct Shape {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> weight: array<f32>;
@group(0) @binding(2) var<storage, read> bias: array<f32>;
@group(0) @binding(3) var<storage, read_write> values: array<f32>;

override shifted: bool = true;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  if (global.x >= shape.width) {
    return;
  }
  let at = global.y * shape.width + global.x;
  let scaled = values[at] * weight[global.x];
  if (shifted) {
    values[at] = scaled + bias[global.x];
  } else {
    values[at] = scaled;
  }
}
