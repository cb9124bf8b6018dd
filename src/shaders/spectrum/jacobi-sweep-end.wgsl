// Ends a Jacobi sweep: a matrix whose largest |cosine| of the sweep stayed under 2e-6 has converged.
//
//   worst     U32 [matrices]: the bits of the largest |cosine|; cleared
//   progress  U32 [matrices, 2]: converged, sweeps so far (one more now)
//
// One thread for all matrices.

struct Shape {
  matrices: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> worst: array<u32>;
@group(0) @binding(2) var<storage, read_write> progress: array<u32>;

const CONVERGED_UNDER = 2e-6;

@compute @workgroup_size(1)
fn main() {
  for (var matrix = 0u; matrix < shape.matrices; matrix++) {
    if (progress[2u * matrix] == 0u) {
      progress[2u * matrix + 1u] += 1u;
      if (worst[matrix] < bitcast<u32>(f32(CONVERGED_UNDER))) {
        progress[2u * matrix] = 1u;
      }
    }
    worst[matrix] = 0u;
  }
}
