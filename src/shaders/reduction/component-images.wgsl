// The images of a centred matrix along orthonormal vectors: images[k, e] = Σ_i basis[k, i] (a_i[e] − mean).
//
//   matrix  F32 [rows, columns], taken as `vectors` vectors a_i of `length` elements: its rows, or (transposed) its columns
//   means   F32 [columns]    basis  F32 [components, vectors]    images  F32 [components, length]
//
// `components` is a multiple of 4; each thread makes one element of four images, in runs of 32 vectors, so that rounding does
// not grow with their number. The grid is (length / 64, components / 4).

struct Shape {
  vectors: u32,
  length: u32,
  transposed: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> matrix: array<f32>;
@group(0) @binding(2) var<storage, read> means: array<f32>;
@group(0) @binding(3) var<storage, read> basis: array<f32>;
@group(0) @binding(4) var<storage, read_write> images: array<f32>;

const RUN = 32u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let element = id.x;
  if (element >= shape.length) {
    return;
  }
  let isTransposed = shape.transposed == 1u;
  let vectors = shape.vectors;
  let vectorStride = select(shape.length, 1u, isTransposed);
  let at = element * select(1u, vectors, isTransposed);
  let base = 4u * id.y * vectors;
  var sum = vec4<f32>(0.0);
  for (var first = 0u; first < vectors; first += RUN) {
    var run = vec4<f32>(0.0);
    for (var i = first; i < min(first + RUN, vectors); i++) {
      let weights = vec4<f32>(
        basis[base + i],
        basis[base + vectors + i],
        basis[base + 2u * vectors + i],
        basis[base + 3u * vectors + i],
      );
      run += weights * (matrix[at + i * vectorStride] - means[select(element, i, isTransposed)]);
    }
    sum += run;
  }
  for (var k = 0u; k < 4u; k++) {
    images[(4u * id.y + k) * shape.length + element] = sum[k];
  }
}
