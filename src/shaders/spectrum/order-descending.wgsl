// Sorts each matrix's norms, largest first; equal norms keep their order.
//
//   norms   F32 [matrices, padded]
//   order   U32 [matrices, padded]: the vector of each rank
//   sorted  F32 [matrices, padded]: its norm
//   floors  F32 [matrices]: the norm at or under which a vector counts as zero, 2e-8 of the largest
//
// One thread per vector: its rank is the number of norms that go before it. The grid is (padded / 64, matrices).

struct Shape {
  padded: u32, // norms per matrix
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> norms: array<f32>;
@group(0) @binding(2) var<storage, read_write> order: array<u32>;
@group(0) @binding(3) var<storage, read_write> sorted: array<f32>;
@group(0) @binding(4) var<storage, read_write> floors: array<f32>;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let vector = id.x;
  let matrix = id.y;
  if (vector >= shape.padded) {
    return;
  }
  let base = matrix * shape.padded;
  let own = norms[base + vector];
  var rank = 0u;
  for (var other = 0u; other < shape.padded; other++) {
    let norm = norms[base + other];
    rank += select(0u, 1u, norm > own || (norm == own && other < vector));
  }
  order[base + rank] = vector;
  sorted[base + rank] = own;
  if (rank == 0u) {
    floors[matrix] = 2e-8 * own;
  }
}
