// A layer norm without its weight and bias: output[r] = (input[r] − mean) / scale, by the statistics of each row.
//
//   input, output  F32 [rows, width]
//   statistics     F32 [rows, 3]: a rough mean, what is to be added to it, the scale (norm-statistics.wgsl)
//
// One thread per element; the grid is (columns / 64, rows).

struct Shape {
  rows: u32,
  width: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> input: array<f32>;
@group(0) @binding(2) var<storage, read> statistics: array<f32>;
@group(0) @binding(3) var<storage, read_write> output: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  if (global.x >= shape.width) {
    return;
  }
  let row = 3u * global.y;
  let at = global.y * shape.width + global.x;
  output[at] = (input[at] - statistics[row] - statistics[row + 1u]) / statistics[row + 2u];
}
