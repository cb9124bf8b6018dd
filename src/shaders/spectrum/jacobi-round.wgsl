// One round of blocked one-sided Jacobi: makes the vectors of each pair of 16-vector blocks more nearly orthogonal (Golub
// and Van Loan, Matrix Computations, 8.6: one-sided and block Jacobi; rotations in Rutishauser's form).
//
//   vectors   F32 [matrices, 16 · blocks, length]
//   floors    F32 [matrices]: vectors at or under it count as zero
//   progress  U32 [matrices, 2]: converged, sweeps so far; a matrix that has converged is left alone
//   worst     U32 [matrices]: becomes the bits of the largest |cosine| found before rotating
//
// One workgroup per (pair, matrix), of `threads` threads (a multiple of 8); the grid is (blocks / 2, matrices). The 32 × 32
// Gram matrix of the pair's vectors is summed in 4 × 4 register tiles (upper triangle of tiles only). A sweep of rotations
// diagonalises it in workgroup memory while Q collects them, and the vectors become W Q. `crosswise` 1 rotates only
// vectors of different blocks: the rest had their turn in the sweep's first round.
//
// Includes snippets/block-pair.wgsl and snippets/inner-sweep.wgsl.

struct Shape {
  blocks: u32, // an even number
  length4: u32,
  round: u32, // 0 .. blocks - 2
  crosswise: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> floors: array<f32>;
@group(0) @binding(3) var<storage, read> progress: array<u32>; // converged, sweeps; two words per matrix
@group(0) @binding(4) var<storage, read_write> worst: array<atomic<u32>>;

override threads: u32 = 64u;

const TILES = 36u; // of 8 x 8 tiles, those on and above the diagonal
var<workgroup> gram: array<f32, 1024>;
var<workgroup> rotations: array<vec4<f32>, 256>; // Q': row j holds the coefficients of new vector j
var<workgroup> turns: array<vec2<f32>, 16>; // sine, and tangent of half the angle, of each pair of a step
var<workgroup> pairs: array<vec2<u32>, 16>; // the vectors of each pair of a step
var<workgroup> largest: atomic<u32>;
var<workgroup> isWork: u32;

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let matrix = group.y;
  if (progress[2u * matrix] == 1u) {
    return;
  }
  let length = shape.length4;
  let blocks = blockPair(group.x);
  let firstBase = (matrix * shape.blocks + blocks.first) * 16u * length;
  // Vector i of the pair begins at firstBase + i * length, plus gap where i >= 16.
  let gap = (blocks.other - blocks.first - 1u) * 16u * length;

  for (var tile = thread; tile < TILES; tile += threads) {
    var tileRow = 0u;
    var rest = tile;
    while (rest >= 8u - tileRow) {
      rest -= 8u - tileRow;
      tileRow++;
    }
    let tileColumn = tileRow + rest;
    let a = firstBase + 4u * tileRow * length + select(0u, gap, tileRow >= 4u);
    let b = firstBase + 4u * tileColumn * length + select(0u, gap, tileColumn >= 4u);
    var sum0 = vec4<f32>(0.0);
    var sum1 = vec4<f32>(0.0);
    var sum2 = vec4<f32>(0.0);
    var sum3 = vec4<f32>(0.0);
    for (var k = 0u; k < length; k++) {
      let a0 = vectors[a + k];
      let a1 = vectors[a + length + k];
      let a2 = vectors[a + 2u * length + k];
      let a3 = vectors[a + 3u * length + k];
      let b0 = vectors[b + k];
      let b1 = vectors[b + length + k];
      let b2 = vectors[b + 2u * length + k];
      let b3 = vectors[b + 3u * length + k];
      sum0 += vec4<f32>(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      sum1 += vec4<f32>(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      sum2 += vec4<f32>(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
      sum3 += vec4<f32>(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
    for (var c = 0u; c < 4u; c++) {
      let row = 4u * tileRow;
      let column = 4u * tileColumn + c;
      gram[row * 32u + column] = sum0[c];
      gram[(row + 1u) * 32u + column] = sum1[c];
      gram[(row + 2u) * 32u + column] = sum2[c];
      gram[(row + 3u) * 32u + column] = sum3[c];
      gram[column * 32u + row] = sum0[c];
      gram[column * 32u + row + 1u] = sum1[c];
      gram[column * 32u + row + 2u] = sum2[c];
      gram[column * 32u + row + 3u] = sum3[c];
    }
  }
  if (thread == 0u) {
    atomicStore(&largest, 0u);
  }
  // Q starts as the identity.
  for (var index = thread; index < 256u; index += threads) {
    let column = 4u * (index % 8u);
    rotations[index] =
      select(vec4<f32>(0.0), vec4<f32>(1.0), vec4<u32>(0u, 1u, 2u, 3u) + column == vec4<u32>(index / 8u));
  }
  workgroupBarrier();

  let floorSquare = max(floors[matrix] * floors[matrix], 1e-34);
  var cosine = 0.0;
  for (var i = thread; i < 32u; i += threads) {
    let square = gram[i * 33u];
    if (square > floorSquare) {
      for (var j = 0u; j < i; j++) {
        let otherSquare = gram[j * 33u];
        if (otherSquare > floorSquare) {
          cosine = max(cosine, abs(gram[i * 32u + j]) * inverseSqrt(square) * inverseSqrt(otherSquare));
        }
      }
    }
  }
  atomicMax(&largest, bitcast<u32>(cosine));
  workgroupBarrier();
  if (thread == 0u) {
    let bits = atomicLoad(&largest);
    atomicMax(&worst[matrix], bits);
    isWork = select(0u, 1u, bits > bitcast<u32>(f32(WORK_ABOVE)));
  }
  if (workgroupUniformLoad(&isWork) == 0u) {
    return;
  }

  let steps = select(31u, 16u, shape.crosswise == 1u);
  for (var step = 0u; step < steps; step++) {
    for (var turning = thread; turning < 16u; turning += threads) {
      let pair = innerPair(step, turning);
      let p = gram[pair.x * 33u];
      let q = gram[pair.y * 33u];
      let overlap = gram[pair.x * 32u + pair.y];
      turns[turning] = turnOf(p, q, overlap, floorSquare);
      pairs[turning] = pair;
    }
    workgroupBarrier();
    // The 2 x 2 blocks of the Gram matrix, then Q' in groups of four columns.
    for (var block = thread; block < 256u; block += threads) {
      let mine = block / 16u;
      let other = block % 16u;
      let rows = pairs[mine];
      let rowTurn = turns[mine];
      let columns = pairs[other];
      let turn = turns[other];
      let at = rows.x * 32u;
      let below = rows.y * 32u;
      let pp = gram[at + columns.x];
      let pq = gram[at + columns.y];
      let qp = gram[below + columns.x];
      let qq = gram[below + columns.y];
      let leftP = pp - turn.x * (pq + turn.y * pp);
      let rightP = pq + turn.x * (pp - turn.y * pq);
      let leftQ = qp - turn.x * (qq + turn.y * qp);
      let rightQ = qq + turn.x * (qp - turn.y * qq);
      gram[at + columns.x] = leftP - rowTurn.x * (leftQ + rowTurn.y * leftP);
      gram[below + columns.x] = leftQ + rowTurn.x * (leftP - rowTurn.y * leftQ);
      gram[at + columns.y] = rightP - rowTurn.x * (rightQ + rowTurn.y * rightP);
      gram[below + columns.y] = rightQ + rowTurn.x * (rightP - rowTurn.y * rightQ);
    }
    for (var index = thread; index < 128u; index += threads) {
      let rows = pairs[index / 8u];
      let rowTurn = turns[index / 8u];
      let four = index % 8u;
      let upper = rotations[rows.x * 8u + four];
      let lower = rotations[rows.y * 8u + four];
      rotations[rows.x * 8u + four] = upper - rowTurn.x * (lower + rowTurn.y * upper);
      rotations[rows.y * 8u + four] = lower + rowTurn.x * (upper - rowTurn.y * lower);
    }
    workgroupBarrier();
  }

  // W Q: a thread makes four new vectors at two groups of four rows; all read before any writes.
  let lanes = threads / 8u;
  let output = 4u * (thread / lanes);
  let target0 = firstBase + output * length + select(0u, gap, output >= 16u);
  for (var chunk = 0u; chunk < length; chunk += 2u * lanes) {
    let near = chunk + thread % lanes;
    let far = near + lanes;
    // Beyond the end a thread reads the last group again and does not write.
    let nearRead = firstBase + min(near, length - 1u);
    let farRead = firstBase + min(far, length - 1u);
    var near0 = vec4<f32>(0.0);
    var near1 = vec4<f32>(0.0);
    var near2 = vec4<f32>(0.0);
    var near3 = vec4<f32>(0.0);
    var far0 = vec4<f32>(0.0);
    var far1 = vec4<f32>(0.0);
    var far2 = vec4<f32>(0.0);
    var far3 = vec4<f32>(0.0);
    for (var four = 0u; four < 8u; four++) {
      let q0 = rotations[output * 8u + four];
      let q1 = rotations[output * 8u + 8u + four];
      let q2 = rotations[output * 8u + 16u + four];
      let q3 = rotations[output * 8u + 24u + four];
      let shift = 4u * four * length + select(0u, gap, four >= 4u);
      let w0 = vectors[nearRead + shift];
      let w1 = vectors[nearRead + shift + length];
      let w2 = vectors[nearRead + shift + 2u * length];
      let w3 = vectors[nearRead + shift + 3u * length];
      near0 += w0 * q0.x + w1 * q0.y + w2 * q0.z + w3 * q0.w;
      near1 += w0 * q1.x + w1 * q1.y + w2 * q1.z + w3 * q1.w;
      near2 += w0 * q2.x + w1 * q2.y + w2 * q2.z + w3 * q2.w;
      near3 += w0 * q3.x + w1 * q3.y + w2 * q3.z + w3 * q3.w;
      let x0 = vectors[farRead + shift];
      let x1 = vectors[farRead + shift + length];
      let x2 = vectors[farRead + shift + 2u * length];
      let x3 = vectors[farRead + shift + 3u * length];
      far0 += x0 * q0.x + x1 * q0.y + x2 * q0.z + x3 * q0.w;
      far1 += x0 * q1.x + x1 * q1.y + x2 * q1.z + x3 * q1.w;
      far2 += x0 * q2.x + x1 * q2.y + x2 * q2.z + x3 * q2.w;
      far3 += x0 * q3.x + x1 * q3.y + x2 * q3.z + x3 * q3.w;
    }
    storageBarrier();
    if (near < length) {
      vectors[target0 + near] = near0;
      vectors[target0 + length + near] = near1;
      vectors[target0 + 2u * length + near] = near2;
      vectors[target0 + 3u * length + near] = near3;
    }
    if (far < length) {
      vectors[target0 + far] = far0;
      vectors[target0 + length + far] = far1;
      vectors[target0 + 2u * length + far] = far2;
      vectors[target0 + 3u * length + far] = far3;
    }
  }
}
