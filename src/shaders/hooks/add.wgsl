// total ← total + term, where a matrix product does not add by itself because its result is looked at or changed first:
//
//   term, total  F32 [rows, columns]
//
// One thread per element; the grid is (columns / 64, rows).

struct Shape {
  rows: u32,
  columns: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> term: array<f32>;
@group(0) @binding(2) var<storage, read_write> total: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  if (global.x >= shape.columns) {
    return;
  }
  let at = global.y * shape.columns + global.x;
  total[at] = term[at] + total[at];
}
