// One round of blocked one-sided Jacobi for hardware GPUs. It computes what jacobi-round.wgsl does, with the same operands:
// the vectors of each pair of 16-vector blocks become more nearly orthogonal.
//
// One workgroup per (pair, matrix), of 256 threads; all take part in each step. The grid is (blocks / 2, matrices). The pair's
// 32 vectors pass through workgroup memory 64 elements at a time, for their Gram matrix and again for W Q:
// - Gram: the 64 tiles of 4 × 4 are made by four threads each. Every thread takes a quarter of the elements; the four
//   sums are then added. Both triangles are made, in the same order: they agree to the bit.
// - The sweep diagonalises the Gram matrix in workgroup memory while Q collects the rotations; a thread turns
//   one 2 × 2 block.
// - W Q: a thread makes two new vectors at four elements.
//
// In 12 KiB of workgroup memory one array serves in turn: vectors while the Gram matrix is summed; then Q′, the Gram matrix
// and nothing; then Q′ and vectors. Fours of elements of vector i stand at their place xor i mod 8, so that threads that
// read one place of several vectors use different banks.
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

const THREADS = 256u;
// Fours of elements of each vector in workgroup memory at once.
const FOURS = 16u;
// Where the Gram matrix's 1024 floats begin, and the vectors next to Q'; vectors of the Gram matrix begin at 0.
const GRAM = 256u;
const BESIDE = 256u;

var<workgroup> memory: array<vec4<f32>, 768>;
var<workgroup> turns: array<vec2<f32>, 16>; // sine, and tangent of half the angle, of each pair of a step
var<workgroup> pairs: array<vec2<u32>, 16>; // the vectors of each pair of a step
var<workgroup> largest: atomic<u32>;
var<workgroup> isWork: u32;

fn gram(index: u32) -> f32 {
  return memory[GRAM + index / 4u][index % 4u];
}

fn setGram(index: u32, value: f32) {
  memory[GRAM + index / 4u][index % 4u] = value;
}

fn placeOf(vector: u32, four: u32) -> u32 {
  return vector * FOURS + (four ^ (vector & 7u));
}

// Brings 64 elements of the pair's vectors into memory, zeros beyond their end. Neighbouring threads read neighbours.
fn stage(at: u32, firstBase: u32, gap: u32, chunk: u32, thread: u32) {
  for (var index = thread; index < 32u * FOURS; index += THREADS) {
    let vector = index / FOURS;
    let four = index % FOURS;
    var value = vec4<f32>(0.0);
    if (chunk + four < shape.length4) {
      value = vectors[firstBase + vector * shape.length4 + select(0u, gap, vector >= 16u) + chunk + four];
    }
    memory[at + placeOf(vector, four)] = value;
  }
}

@compute @workgroup_size(THREADS)
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

  // Rows tileRow + 8i and columns tileColumn + 8j of the Gram matrix, and a quarter of the fours.
  let tileRow = (thread / 8u) % 8u;
  let tileColumn = thread % 8u;
  let quarter = thread / 64u;
  var sum0 = vec4<f32>(0.0);
  var sum1 = vec4<f32>(0.0);
  var sum2 = vec4<f32>(0.0);
  var sum3 = vec4<f32>(0.0);
  for (var chunk = 0u; chunk < length; chunk += FOURS) {
    workgroupBarrier();
    stage(0u, firstBase, gap, chunk, thread);
    workgroupBarrier();
    for (var k = 0u; k < FOURS / 4u; k++) {
      let four = quarter * (FOURS / 4u) + k;
      let a0 = memory[placeOf(tileRow, four)];
      let a1 = memory[placeOf(tileRow + 8u, four)];
      let a2 = memory[placeOf(tileRow + 16u, four)];
      let a3 = memory[placeOf(tileRow + 24u, four)];
      let b0 = memory[placeOf(tileColumn, four)];
      let b1 = memory[placeOf(tileColumn + 8u, four)];
      let b2 = memory[placeOf(tileColumn + 16u, four)];
      let b3 = memory[placeOf(tileColumn + 24u, four)];
      sum0 += vec4<f32>(dot(a0, b0), dot(a0, b1), dot(a0, b2), dot(a0, b3));
      sum1 += vec4<f32>(dot(a1, b0), dot(a1, b1), dot(a1, b2), dot(a1, b3));
      sum2 += vec4<f32>(dot(a2, b0), dot(a2, b1), dot(a2, b2), dot(a2, b3));
      sum3 += vec4<f32>(dot(a3, b0), dot(a3, b1), dot(a3, b2), dot(a3, b3));
    }
  }
  for (var turn = 0u; turn < 4u; turn++) {
    workgroupBarrier();
    if (turn == quarter) {
      for (var j = 0u; j < 4u; j++) {
        let at = tileRow * 32u + tileColumn + 8u * j;
        var before = vec4<f32>(0.0);
        if (turn > 0u) {
          before = vec4<f32>(gram(at), gram(at + 256u), gram(at + 512u), gram(at + 768u));
        }
        setGram(at, before.x + sum0[j]);
        setGram(at + 256u, before.y + sum1[j]);
        setGram(at + 512u, before.z + sum2[j]);
        setGram(at + 768u, before.w + sum3[j]);
      }
    }
  }
  if (thread == 0u) {
    atomicStore(&largest, 0u);
  }
  // Q' starts as the identity; row j holds the coefficients of new vector j.
  let column = 4u * (thread % 8u);
  memory[thread] =
    select(vec4<f32>(0.0), vec4<f32>(1.0), vec4<u32>(0u, 1u, 2u, 3u) + column == vec4<u32>(thread / 8u));
  workgroupBarrier();

  let floorSquare = max(floors[matrix] * floors[matrix], 1e-34);
  var cosine = 0.0;
  // Four elements of the Gram matrix per thread; those under the diagonal count.
  for (var index = thread; index < 1024u; index += THREADS) {
    let i = index / 32u;
    let j = index % 32u;
    let square = gram(i * 33u);
    let otherSquare = gram(j * 33u);
    if (j < i && square > floorSquare && otherSquare > floorSquare) {
      cosine = max(cosine, abs(gram(index)) * inverseSqrt(square) * inverseSqrt(otherSquare));
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
    if (thread < 16u) {
      let pair = innerPair(step, thread);
      let p = gram(pair.x * 33u);
      let q = gram(pair.y * 33u);
      let overlap = gram(pair.x * 32u + pair.y);
      turns[thread] = turnOf(p, q, overlap, floorSquare);
      pairs[thread] = pair;
    }
    workgroupBarrier();
    // The 2 x 2 blocks of the Gram matrix, one per thread, then Q' in groups of four columns.
    let rows = pairs[thread / 16u];
    let rowTurn = turns[thread / 16u];
    let columns = pairs[thread % 16u];
    let turn = turns[thread % 16u];
    let at = rows.x * 32u;
    let below = rows.y * 32u;
    let pp = gram(at + columns.x);
    let pq = gram(at + columns.y);
    let qp = gram(below + columns.x);
    let qq = gram(below + columns.y);
    let leftP = pp - turn.x * (pq + turn.y * pp);
    let rightP = pq + turn.x * (pp - turn.y * pq);
    let leftQ = qp - turn.x * (qq + turn.y * qp);
    let rightQ = qq + turn.x * (qp - turn.y * qq);
    setGram(at + columns.x, leftP - rowTurn.x * (leftQ + rowTurn.y * leftP));
    setGram(below + columns.x, leftQ + rowTurn.x * (leftP - rowTurn.y * leftQ));
    setGram(at + columns.y, rightP - rowTurn.x * (rightQ + rowTurn.y * rightP));
    setGram(below + columns.y, rightQ + rowTurn.x * (rightP - rowTurn.y * rightQ));
    if (thread < 128u) {
      let turned = pairs[thread / 8u];
      let by = turns[thread / 8u];
      let four = thread % 8u;
      let upper = memory[turned.x * 8u + four];
      let lower = memory[turned.y * 8u + four];
      memory[turned.x * 8u + four] = upper - by.x * (lower + by.y * upper);
      memory[turned.y * 8u + four] = lower + by.x * (upper - by.y * lower);
    }
    workgroupBarrier();
  }

  // W Q: 16 fours of elements, and new vectors `made` and made + 1. What is written was read into memory before.
  let made = 2u * (thread / FOURS);
  let mine = thread % FOURS;
  let target0 = firstBase + made * length + select(0u, gap, made >= 16u);
  for (var chunk = 0u; chunk < length; chunk += FOURS) {
    workgroupBarrier();
    stage(BESIDE, firstBase, gap, chunk, thread);
    storageBarrier();
    workgroupBarrier();
    var one = vec4<f32>(0.0);
    var other = vec4<f32>(0.0);
    for (var four = 0u; four < 8u; four++) {
      let q0 = memory[made * 8u + four];
      let q1 = memory[made * 8u + 8u + four];
      let w0 = memory[BESIDE + placeOf(4u * four, mine)];
      let w1 = memory[BESIDE + placeOf(4u * four + 1u, mine)];
      let w2 = memory[BESIDE + placeOf(4u * four + 2u, mine)];
      let w3 = memory[BESIDE + placeOf(4u * four + 3u, mine)];
      one += w0 * q0.x + w1 * q0.y + w2 * q0.z + w3 * q0.w;
      other += w0 * q1.x + w1 * q1.y + w2 * q1.z + w3 * q1.w;
    }
    if (chunk + mine < length) {
      vectors[target0 + chunk + mine] = one;
      vectors[target0 + length + chunk + mine] = other;
    }
  }
}
