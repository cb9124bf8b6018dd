// L = R': from the upper triangle R of factored columns [matrix, padded, stride] to vectors [matrix, padded, padded],
// vector j = row j of R, zero before its diagonal and beyond `columns`.
//
// One thread an element.

struct Uniforms {
  columns: u32,
  padded: u32,
  stride: u32, // floats a factored column
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read> factored: array<f32>;
@group(0) @binding(2) var<storage, read_write> lower: array<f32>;

@compute @workgroup_size(16, 16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let k = id.x;
  let j = id.y;
  let matrix = id.z;
  if (k >= uniforms.padded || j >= uniforms.padded) {
    return;
  }
  var element = 0.0;
  if (j <= k && k < uniforms.columns) {
    element = factored[(matrix * uniforms.padded + k) * uniforms.stride + j];
  }
  lower[(matrix * uniforms.padded + j) * uniforms.padded + k] = element;
}
