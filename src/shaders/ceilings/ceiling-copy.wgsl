// The highest rate at which a kernel of this adapter copies memory, 16 bytes at a time.
//
//   source, destination  [elements] groups of four floats
//
// The grid has one dimension; its threads stand side by side and take every stride-th group.

struct Shape {
  elements: u32,
  stride: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> source: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> destination: array<vec4<f32>>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) global: vec3<u32>) {
  for (var i = global.x; i < shape.elements; i += shape.stride) {
    destination[i] = source[i];
  }
}
