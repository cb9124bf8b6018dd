// L = R′: takes the upper triangle R out of factored columns. Vector j is row j of R, zero before its diagonal and beyond
// `columns`.
//
//   factored  F32 [matrices, padded, stride]
//   lower     F32 [matrices, padded, padded]
//
// One thread per element; the grid is (padded / 16, padded / 16, matrices).

struct Shape {
  columns: u32,
  padded: u32,
  stride: u32, // floats per factored column
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> factored: array<f32>;
@group(0) @binding(2) var<storage, read_write> lower: array<f32>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let k = id.x;
  let j = id.y;
  let matrix = id.z;
  if (k >= shape.padded || j >= shape.padded) {
    return;
  }
  var element = 0.0;
  if (j <= k && k < shape.columns) {
    element = factored[(matrix * shape.padded + k) * shape.stride + j];
  }
  lower[(matrix * shape.padded + j) * shape.padded + k] = element;
}
