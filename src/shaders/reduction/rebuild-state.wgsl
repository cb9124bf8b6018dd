// A matrix made of its means and of some components: reduced = mean + Σ_k basis[k, i] images[k, e] for the element e of its
// vector i.
//
//   means   F32 [columns]    basis  F32 [components, vectors]    images  F32 [components, length]
//   reduced F32 [rows, columns]; its vectors are its rows, or (transposed) its columns
//
// With component-images.wgsl before it: reduced = μ + (X − μ) V Vᵀ = μ + U Uᵀ (X − μ). The first right singular vectors
// V and the first left ones U of X − μ give the same projection. One thread per element, in runs of 32 components; the grid is
// (columns / 64, rows).

struct Shape {
  vectors: u32,
  length: u32,
  transposed: u32,
  components: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> means: array<f32>;
@group(0) @binding(2) var<storage, read> basis: array<f32>;
@group(0) @binding(3) var<storage, read> images: array<f32>;
@group(0) @binding(4) var<storage, read_write> reduced: array<f32>;

const RUN = 32u;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let isTransposed = shape.transposed == 1u;
  let columns = select(shape.length, shape.vectors, isTransposed);
  if (id.x >= columns) {
    return;
  }
  let vector = select(id.y, id.x, isTransposed);
  let element = select(id.x, id.y, isTransposed);
  var sum = 0.0;
  for (var first = 0u; first < shape.components; first += RUN) {
    var run = 0.0;
    for (var k = first; k < min(first + RUN, shape.components); k++) {
      run += basis[k * shape.vectors + vector] * images[k * shape.length + element];
    }
    sum += run;
  }
  reduced[id.y * columns + id.x] = means[id.x] + sum;
}
