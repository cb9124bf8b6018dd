// Applies a panel's reflectors to the columns after it: A ← A − V T′ (V′ A) (Golub and Van Loan, Matrix Computations, 5.2:
// compact WY form).
//
//   reflectors  F32 [matrices, 16, rows]; triangle  F32 [matrices, 16, 16]: V and T, from qr-panel.wgsl
//   columns     F32 [matrices, padded, rows], contiguous
//
// One workgroup, of 64 threads, takes 16 columns of one matrix: V′A in 4 × 4 register tiles over four interleaved parts of
// the rows, then T′, then the update. The grid is (groups of 16 columns after the panel, matrices).

struct Shape {
  padded: u32, // columns held per matrix
  length4: u32,
  first: u32, // the panel's first column
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> columns: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> reflectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> triangle: array<f32>;

var<workgroup> partials: array<vec4<f32>, 256>; // [part, reflector, four columns]
var<workgroup> products: array<vec4<f32>, 64>; // [reflector, four columns]
var<workgroup> weights: array<vec4<f32>, 64>; // T' products

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let matrix = group.y;
  let length = shape.length4;
  let begin = shape.first / 4u;
  let target0 = (matrix * shape.padded + shape.first + 16u + 16u * group.x) * length;
  let reflector0 = matrix * 16u * length;

  let part = thread % 4u;
  let tileRow = (thread / 4u) % 4u; // four reflectors
  let tileColumn = thread / 16u; // four columns
  let v = reflector0 + 4u * tileRow * length;
  let a = target0 + 4u * tileColumn * length;
  var sum0 = vec4<f32>(0.0);
  var sum1 = vec4<f32>(0.0);
  var sum2 = vec4<f32>(0.0);
  var sum3 = vec4<f32>(0.0);
  for (var k = begin + part; k < length; k += 4u) {
    let a0 = columns[a + k];
    let a1 = columns[a + length + k];
    let a2 = columns[a + 2u * length + k];
    let a3 = columns[a + 3u * length + k];
    let v0 = reflectors[v + k];
    let v1 = reflectors[v + length + k];
    let v2 = reflectors[v + 2u * length + k];
    let v3 = reflectors[v + 3u * length + k];
    sum0 += vec4<f32>(dot(v0, a0), dot(v0, a1), dot(v0, a2), dot(v0, a3));
    sum1 += vec4<f32>(dot(v1, a0), dot(v1, a1), dot(v1, a2), dot(v1, a3));
    sum2 += vec4<f32>(dot(v2, a0), dot(v2, a1), dot(v2, a2), dot(v2, a3));
    sum3 += vec4<f32>(dot(v3, a0), dot(v3, a1), dot(v3, a2), dot(v3, a3));
  }
  let slot = part * 64u + 16u * tileRow + tileColumn;
  partials[slot] = sum0;
  partials[slot + 4u] = sum1;
  partials[slot + 8u] = sum2;
  partials[slot + 12u] = sum3;
  workgroupBarrier();
  products[thread] =
    (partials[thread] + partials[thread + 64u]) + (partials[thread + 128u] + partials[thread + 192u]);
  workgroupBarrier();
  let i = thread / 4u;
  var weight = vec4<f32>(0.0);
  for (var l = 0u; l <= i; l++) {
    weight += triangle[matrix * 256u + l * 16u + i] * products[l * 4u + thread % 4u];
  }
  weights[thread] = weight;
  workgroupBarrier();

  let columnTile = thread / 16u;
  let first = target0 + 4u * columnTile * length;
  for (var k = begin + thread % 16u; k < length; k += 16u) {
    var a0 = columns[first + k];
    var a1 = columns[first + length + k];
    var a2 = columns[first + 2u * length + k];
    var a3 = columns[first + 3u * length + k];
    for (var l = 0u; l < 16u; l++) {
      let reflector = reflectors[reflector0 + l * length + k];
      let four = weights[l * 4u + columnTile];
      a0 -= reflector * four.x;
      a1 -= reflector * four.y;
      a2 -= reflector * four.z;
      a3 -= reflector * four.w;
    }
    columns[first + k] = a0;
    columns[first + length + k] = a1;
    columns[first + 2u * length + k] = a2;
    columns[first + 3u * length + k] = a3;
  }
}
