// One round of blocked one-sided Jacobi, as jacobi-round, where four lanes make a subgroup: makes the vectors of each
// pair of 16-vector blocks more nearly orthogonal. Golub and Van Loan, Matrix Computations, 8.6 (one-sided and block
// Jacobi); rotations in Rutishauser's form.
//
// One workgroup of four threads, a subgroup, a (pair, matrix). The Gram matrix of the pair's 32 vectors lies in
// registers: a lane has four columns of either block. A step turns 16 pairs of its rows and columns; pairs meet because
// the second block moves on by one place a step. The angles are kept, and then the vectors themselves are turned by
// them, four groups of rows at a time.
// `crosswise` 0, the first round of a sweep, turns all pairs of the 32 vectors, as in a round-robin tournament, and sums
// the whole Gram matrix. `crosswise` 1 turns pairs of different blocks only and sums only their products; the products
// within a block are those that the round before left in grams[matrix, block, 16, 16].
// worst[matrix] becomes the bits of the largest |cosine| found before turning. Vectors at or under the matrix's floor
// count as zero. A matrix whose progress says converged is left alone.

enable subgroups;
// All four lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Uniforms {
  blocks: u32, // an even number
  length4: u32,
  round: u32, // 0 .. blocks - 2
  crosswise: u32,
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read_write> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> grams: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> floors: array<f32>;
@group(0) @binding(4) var<storage, read> progress: array<u32>; // converged, sweeps; two words a matrix
@group(0) @binding(5) var<storage, read_write> worst: array<atomic<u32>>;

/// Cosines under this are rounding: a rotation would not improve them.
const ROTATE_ABOVE = 1e-7;
/// A pair whose every cosine is under this is left alone.
const WORK_ABOVE = 2.5e-7;

/// A lane's part of one row of the Gram matrix: the columns 4 lane .. 4 lane + 3 of either block.
struct Row {
  a: vec4<f32>,
  b: vec4<f32>,
}

/// Rotations of four pairs: their sines, and the tangents of half their angles.
struct Turn {
  sine: vec4<f32>,
  halfTangent: vec4<f32>,
}

var<workgroup> gram: array<vec4<f32>, 256>;
var<workgroup> turns: array<Turn, 124>; // [step, lane]

/// Puts a lane's four sums of one row of a tile where they belong in the Gram matrix.
fn putRow(tile: u32, i: u32, lane: u32, sum: vec4<f32>) {
  if (tile == 0u) {
    gram[8u * i + 4u + lane] = sum;
    let below = 8u * (16u + 4u * lane) + i / 4u;
    gram[below][i % 4u] = sum.x;
    gram[below + 8u][i % 4u] = sum.y;
    gram[below + 16u][i % 4u] = sum.z;
    gram[below + 24u][i % 4u] = sum.w;
  } else {
    gram[select(8u * i, 8u * i + 132u, tile == 2u) + lane] = sum;
  }
}

fn row(i: u32, lane: u32) -> Row {
  return Row(gram[8u * i + lane], gram[8u * i + 4u + lane]);
}

fn ofLane(lane: u32, x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>) -> vec4<f32> {
  return select(select(x0, x1, lane == 1u), select(x2, x3, lane == 3u), lane >= 2u);
}

/// The values of the next lane; the last one's are the first one's.
fn fromNext(x: f32, lane: u32) -> f32 {
  return select(quadSwapX(x), quadSwapDiagonal(x), (lane & 1u) == 1u);
}

fn fromPrevious(x: f32, lane: u32) -> f32 {
  return select(quadSwapX(x), quadSwapDiagonal(x), (lane & 1u) == 0u);
}

fn turnColumns(row: Row, turn: Turn, lane: u32) -> Row {
  let b = row.b + turn.sine * (row.a - turn.halfTangent * row.b);
  return Row(
    row.a - turn.sine * (row.b + turn.halfTangent * row.a),
    vec4<f32>(b.yzw, fromNext(b.x, lane)),
  );
}

/// Turns two rows, then all columns of both, and moves the second block's columns on by one place. The first row stays
/// where it is, the second is returned.
fn turnPair(first: ptr<function, Row>, second: Row, rowTurn: Turn, turn: Turn, lane: u32) -> Row {
  let a = *first;
  let x = Row(
    a.a - rowTurn.sine * (second.a + rowTurn.halfTangent * a.a),
    a.b - rowTurn.sine * (second.b + rowTurn.halfTangent * a.b),
  );
  let y = Row(
    second.a + rowTurn.sine * (a.a - rowTurn.halfTangent * second.a),
    second.b + rowTurn.sine * (a.b - rowTurn.halfTangent * second.b),
  );
  *first = turnColumns(x, turn, lane);
  return turnColumns(y, turn, lane);
}

/// Moves a row's columns as the tournament moves its players: what the first block's second place gets is in the second
/// block's last place already, and goes to and fro.
fn followFull(row: Row, lane: u32) -> Row {
  let fromB = quadBroadcast(row.b.w, 3u);
  let previous = fromPrevious(row.a.w, lane);
  return Row(
    select(vec4<f32>(previous, row.a.xyz), vec4<f32>(row.a.x, fromB, row.a.yz), lane == 0u),
    vec4<f32>(row.b.xyz, select(row.b.w, row.a.w, lane == 3u)),
  );
}

fn turnVectors(first: ptr<function, vec4<f32>>, second: vec4<f32>, sine: f32, halfTangent: f32) -> vec4<f32> {
  let x = *first;
  *first = x - sine * (second + halfTangent * x);
  return second + sine * (x - halfTangent * second);
}

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.y;
  if (progress[2u * matrix] == 1u) {
    return;
  }
  let length = uniforms.length4;
  let isCrosswise = uniforms.crosswise == 1u;
  let cycle = uniforms.blocks - 1u;
  let oneBlock = select((uniforms.round + group.x) % cycle, cycle, group.x == 0u);
  let twoBlock = (uniforms.round + cycle - group.x) % cycle;
  let firstBlock = matrix * uniforms.blocks + min(oneBlock, twoBlock);
  let otherBlock = matrix * uniforms.blocks + max(oneBlock, twoBlock);
  let firstBase = firstBlock * 16u * length;
  let otherBase = otherBlock * 16u * length;
  let firstGram = firstBlock * 64u + lane;
  let otherGram = otherBlock * 64u + lane;

  // Tiles of 16 x 16 products: first block by other, and in a sweep's first round first by first and other by other.
  for (var tile = 0u; tile < select(3u, 1u, isCrosswise); tile++) {
    let rows = select(firstBase, otherBase, tile == 2u);
    let own = select(otherBase, firstBase, tile == 1u) + 4u * lane * length;
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    var sum8 = vec4<f32>();
    var sum9 = vec4<f32>();
    var sum10 = vec4<f32>();
    var sum11 = vec4<f32>();
    var sum12 = vec4<f32>();
    var sum13 = vec4<f32>();
    var sum14 = vec4<f32>();
    var sum15 = vec4<f32>();
    for (var k = 0u; k < length; k++) {
      let own0 = vectors[own + k];
      let own1 = vectors[own + length + k];
      let own2 = vectors[own + 2u * length + k];
      let own3 = vectors[own + 3u * length + k];
      let x0 = vectors[rows + 0u * length + k][lane];
      let x1 = vectors[rows + 1u * length + k][lane];
      let x2 = vectors[rows + 2u * length + k][lane];
      let x3 = vectors[rows + 3u * length + k][lane];
      let x4 = vectors[rows + 4u * length + k][lane];
      let x5 = vectors[rows + 5u * length + k][lane];
      let x6 = vectors[rows + 6u * length + k][lane];
      let x7 = vectors[rows + 7u * length + k][lane];
      let x8 = vectors[rows + 8u * length + k][lane];
      let x9 = vectors[rows + 9u * length + k][lane];
      let x10 = vectors[rows + 10u * length + k][lane];
      let x11 = vectors[rows + 11u * length + k][lane];
      let x12 = vectors[rows + 12u * length + k][lane];
      let x13 = vectors[rows + 13u * length + k][lane];
      let x14 = vectors[rows + 14u * length + k][lane];
      let x15 = vectors[rows + 15u * length + k][lane];
      let bx = vec4<f32>(own0.x, own1.x, own2.x, own3.x);
      sum0 += quadBroadcast(x0, 0u) * bx;
      sum1 += quadBroadcast(x1, 0u) * bx;
      sum2 += quadBroadcast(x2, 0u) * bx;
      sum3 += quadBroadcast(x3, 0u) * bx;
      sum4 += quadBroadcast(x4, 0u) * bx;
      sum5 += quadBroadcast(x5, 0u) * bx;
      sum6 += quadBroadcast(x6, 0u) * bx;
      sum7 += quadBroadcast(x7, 0u) * bx;
      sum8 += quadBroadcast(x8, 0u) * bx;
      sum9 += quadBroadcast(x9, 0u) * bx;
      sum10 += quadBroadcast(x10, 0u) * bx;
      sum11 += quadBroadcast(x11, 0u) * bx;
      sum12 += quadBroadcast(x12, 0u) * bx;
      sum13 += quadBroadcast(x13, 0u) * bx;
      sum14 += quadBroadcast(x14, 0u) * bx;
      sum15 += quadBroadcast(x15, 0u) * bx;
      let by = vec4<f32>(own0.y, own1.y, own2.y, own3.y);
      sum0 += quadBroadcast(x0, 1u) * by;
      sum1 += quadBroadcast(x1, 1u) * by;
      sum2 += quadBroadcast(x2, 1u) * by;
      sum3 += quadBroadcast(x3, 1u) * by;
      sum4 += quadBroadcast(x4, 1u) * by;
      sum5 += quadBroadcast(x5, 1u) * by;
      sum6 += quadBroadcast(x6, 1u) * by;
      sum7 += quadBroadcast(x7, 1u) * by;
      sum8 += quadBroadcast(x8, 1u) * by;
      sum9 += quadBroadcast(x9, 1u) * by;
      sum10 += quadBroadcast(x10, 1u) * by;
      sum11 += quadBroadcast(x11, 1u) * by;
      sum12 += quadBroadcast(x12, 1u) * by;
      sum13 += quadBroadcast(x13, 1u) * by;
      sum14 += quadBroadcast(x14, 1u) * by;
      sum15 += quadBroadcast(x15, 1u) * by;
      let bz = vec4<f32>(own0.z, own1.z, own2.z, own3.z);
      sum0 += quadBroadcast(x0, 2u) * bz;
      sum1 += quadBroadcast(x1, 2u) * bz;
      sum2 += quadBroadcast(x2, 2u) * bz;
      sum3 += quadBroadcast(x3, 2u) * bz;
      sum4 += quadBroadcast(x4, 2u) * bz;
      sum5 += quadBroadcast(x5, 2u) * bz;
      sum6 += quadBroadcast(x6, 2u) * bz;
      sum7 += quadBroadcast(x7, 2u) * bz;
      sum8 += quadBroadcast(x8, 2u) * bz;
      sum9 += quadBroadcast(x9, 2u) * bz;
      sum10 += quadBroadcast(x10, 2u) * bz;
      sum11 += quadBroadcast(x11, 2u) * bz;
      sum12 += quadBroadcast(x12, 2u) * bz;
      sum13 += quadBroadcast(x13, 2u) * bz;
      sum14 += quadBroadcast(x14, 2u) * bz;
      sum15 += quadBroadcast(x15, 2u) * bz;
      let bw = vec4<f32>(own0.w, own1.w, own2.w, own3.w);
      sum0 += quadBroadcast(x0, 3u) * bw;
      sum1 += quadBroadcast(x1, 3u) * bw;
      sum2 += quadBroadcast(x2, 3u) * bw;
      sum3 += quadBroadcast(x3, 3u) * bw;
      sum4 += quadBroadcast(x4, 3u) * bw;
      sum5 += quadBroadcast(x5, 3u) * bw;
      sum6 += quadBroadcast(x6, 3u) * bw;
      sum7 += quadBroadcast(x7, 3u) * bw;
      sum8 += quadBroadcast(x8, 3u) * bw;
      sum9 += quadBroadcast(x9, 3u) * bw;
      sum10 += quadBroadcast(x10, 3u) * bw;
      sum11 += quadBroadcast(x11, 3u) * bw;
      sum12 += quadBroadcast(x12, 3u) * bw;
      sum13 += quadBroadcast(x13, 3u) * bw;
      sum14 += quadBroadcast(x14, 3u) * bw;
      sum15 += quadBroadcast(x15, 3u) * bw;
    }
    putRow(tile, 0u, lane, sum0);
    putRow(tile, 1u, lane, sum1);
    putRow(tile, 2u, lane, sum2);
    putRow(tile, 3u, lane, sum3);
    putRow(tile, 4u, lane, sum4);
    putRow(tile, 5u, lane, sum5);
    putRow(tile, 6u, lane, sum6);
    putRow(tile, 7u, lane, sum7);
    putRow(tile, 8u, lane, sum8);
    putRow(tile, 9u, lane, sum9);
    putRow(tile, 10u, lane, sum10);
    putRow(tile, 11u, lane, sum11);
    putRow(tile, 12u, lane, sum12);
    putRow(tile, 13u, lane, sum13);
    putRow(tile, 14u, lane, sum14);
    putRow(tile, 15u, lane, sum15);
  }
  if (isCrosswise) {
    for (var i = 0u; i < 16u; i++) {
      gram[8u * i + lane] = grams[firstGram + 4u * i];
      gram[8u * i + 132u + lane] = grams[otherGram + 4u * i];
    }
  }
  workgroupBarrier();
  var a0 = row(0u, lane);
  var b0 = row(16u, lane);
  var a1 = row(1u, lane);
  var b1 = row(17u, lane);
  var a2 = row(2u, lane);
  var b2 = row(18u, lane);
  var a3 = row(3u, lane);
  var b3 = row(19u, lane);
  var a4 = row(4u, lane);
  var b4 = row(20u, lane);
  var a5 = row(5u, lane);
  var b5 = row(21u, lane);
  var a6 = row(6u, lane);
  var b6 = row(22u, lane);
  var a7 = row(7u, lane);
  var b7 = row(23u, lane);
  var a8 = row(8u, lane);
  var b8 = row(24u, lane);
  var a9 = row(9u, lane);
  var b9 = row(25u, lane);
  var a10 = row(10u, lane);
  var b10 = row(26u, lane);
  var a11 = row(11u, lane);
  var b11 = row(27u, lane);
  var a12 = row(12u, lane);
  var b12 = row(28u, lane);
  var a13 = row(13u, lane);
  var b13 = row(29u, lane);
  var a14 = row(14u, lane);
  var b14 = row(30u, lane);
  var a15 = row(15u, lane);
  var b15 = row(31u, lane);

  let floorSquare = max(floors[matrix] * floors[matrix], 1e-34);
  let squaresA = ofLane(lane, vec4<f32>(a0.a.x, a1.a.y, a2.a.z, a3.a.w), vec4<f32>(a4.a.x, a5.a.y, a6.a.z, a7.a.w), vec4<f32>(a8.a.x, a9.a.y, a10.a.z, a11.a.w), vec4<f32>(a12.a.x, a13.a.y, a14.a.z, a15.a.w));
  let squaresB = ofLane(lane, vec4<f32>(b0.b.x, b1.b.y, b2.b.z, b3.b.w), vec4<f32>(b4.b.x, b5.b.y, b6.b.z, b7.b.w), vec4<f32>(b8.b.x, b9.b.y, b10.b.z, b11.b.w), vec4<f32>(b12.b.x, b13.b.y, b14.b.z, b15.b.w));
  let floorSquares = vec4<f32>(floorSquare);
  let rootsA = select(vec4<f32>(), inverseSqrt(max(squaresA, floorSquares)), squaresA > floorSquares);
  let rootsB = select(vec4<f32>(), inverseSqrt(max(squaresB, floorSquares)), squaresB > floorSquares);
  var crossing = vec4<f32>();
  crossing = max(crossing, abs(a0.b) * quadBroadcast(rootsA.x, 0u));
  crossing = max(crossing, abs(a1.b) * quadBroadcast(rootsA.y, 0u));
  crossing = max(crossing, abs(a2.b) * quadBroadcast(rootsA.z, 0u));
  crossing = max(crossing, abs(a3.b) * quadBroadcast(rootsA.w, 0u));
  crossing = max(crossing, abs(a4.b) * quadBroadcast(rootsA.x, 1u));
  crossing = max(crossing, abs(a5.b) * quadBroadcast(rootsA.y, 1u));
  crossing = max(crossing, abs(a6.b) * quadBroadcast(rootsA.z, 1u));
  crossing = max(crossing, abs(a7.b) * quadBroadcast(rootsA.w, 1u));
  crossing = max(crossing, abs(a8.b) * quadBroadcast(rootsA.x, 2u));
  crossing = max(crossing, abs(a9.b) * quadBroadcast(rootsA.y, 2u));
  crossing = max(crossing, abs(a10.b) * quadBroadcast(rootsA.z, 2u));
  crossing = max(crossing, abs(a11.b) * quadBroadcast(rootsA.w, 2u));
  crossing = max(crossing, abs(a12.b) * quadBroadcast(rootsA.x, 3u));
  crossing = max(crossing, abs(a13.b) * quadBroadcast(rootsA.y, 3u));
  crossing = max(crossing, abs(a14.b) * quadBroadcast(rootsA.z, 3u));
  crossing = max(crossing, abs(a15.b) * quadBroadcast(rootsA.w, 3u));
  crossing *= rootsB;
  var cosine = max(max(crossing.x, crossing.y), max(crossing.z, crossing.w));
  if (!isCrosswise) {
    for (var i = lane; i < 32u; i += 4u) {
      let square = gram[8u * i + i / 4u][i % 4u];
      if (square > floorSquare) {
        for (var j = i & 16u; j < i; j++) {
          let otherSquare = gram[8u * j + j / 4u][j % 4u];
          if (otherSquare > floorSquare) {
            cosine = max(cosine, abs(gram[8u * i + j / 4u][j % 4u]) * inverseSqrt(square) * inverseSqrt(otherSquare));
          }
        }
      }
    }
  }
  cosine = max(cosine, quadSwapX(cosine));
  cosine = max(cosine, quadSwapY(cosine));
  if (lane == 0u) {
    atomicMax(&worst[matrix], bitcast<u32>(cosine));
  }
  let isWork = cosine > WORK_ABOVE;
  if (!isWork && isCrosswise) {
    return;
  }

  let steps = select(0u, select(31u, 16u, isCrosswise), isWork);
  for (var step = 0u; step < steps; step++) {
    let p = ofLane(lane, vec4<f32>(a0.a.x, a1.a.y, a2.a.z, a3.a.w), vec4<f32>(a4.a.x, a5.a.y, a6.a.z, a7.a.w), vec4<f32>(a8.a.x, a9.a.y, a10.a.z, a11.a.w), vec4<f32>(a12.a.x, a13.a.y, a14.a.z, a15.a.w));
    let q = ofLane(lane, vec4<f32>(b0.b.x, b1.b.y, b2.b.z, b3.b.w), vec4<f32>(b4.b.x, b5.b.y, b6.b.z, b7.b.w), vec4<f32>(b8.b.x, b9.b.y, b10.b.z, b11.b.w), vec4<f32>(b12.b.x, b13.b.y, b14.b.z, b15.b.w));
    let overlap = ofLane(lane, vec4<f32>(a0.b.x, a1.b.y, a2.b.z, a3.b.w), vec4<f32>(a4.b.x, a5.b.y, a6.b.z, a7.b.w), vec4<f32>(a8.b.x, a9.b.y, a10.b.z, a11.b.w), vec4<f32>(a12.b.x, a13.b.y, a14.b.z, a15.b.w));
    let limit = ROTATE_ABOVE * sqrt(max(p, floorSquares)) * sqrt(max(q, floorSquares));
    let isTurned = (p > floorSquares) & (q > floorSquares) & (abs(overlap) > limit);
    let zeta = (q - p) / (2.0 * select(vec4<f32>(1.0), overlap, isTurned));
    let tangent = select(vec4<f32>(1.0), vec4<f32>(-1.0), zeta < vec4<f32>()) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
    // A rotation is as orthogonal as its sine and half its angle's tangent suit each other: the tangent may be off
    // by what WGSL allows a square root, and the sine follows from it by a quotient that is refined once.
    let halfTangent = tangent / (1.0 + sqrt(1.0 + tangent * tangent));
    let divisor = 1.0 + halfTangent * halfTangent;
    let rough = 2.0 * halfTangent / divisor;
    let sine = rough + (2.0 * halfTangent - rough * divisor) / divisor;
    let turn = Turn(select(vec4<f32>(), sine, isTurned), select(vec4<f32>(), halfTangent, isTurned));
    turns[4u * step + lane] = turn;
      let first = turnPair(&a0, b0, Turn(vec4<f32>(quadBroadcast(turn.sine.x, 0u)), vec4<f32>(quadBroadcast(turn.halfTangent.x, 0u))), turn, lane);
      b0 = turnPair(&a1, b1, Turn(vec4<f32>(quadBroadcast(turn.sine.y, 0u)), vec4<f32>(quadBroadcast(turn.halfTangent.y, 0u))), turn, lane);
      b1 = turnPair(&a2, b2, Turn(vec4<f32>(quadBroadcast(turn.sine.z, 0u)), vec4<f32>(quadBroadcast(turn.halfTangent.z, 0u))), turn, lane);
      b2 = turnPair(&a3, b3, Turn(vec4<f32>(quadBroadcast(turn.sine.w, 0u)), vec4<f32>(quadBroadcast(turn.halfTangent.w, 0u))), turn, lane);
      b3 = turnPair(&a4, b4, Turn(vec4<f32>(quadBroadcast(turn.sine.x, 1u)), vec4<f32>(quadBroadcast(turn.halfTangent.x, 1u))), turn, lane);
      b4 = turnPair(&a5, b5, Turn(vec4<f32>(quadBroadcast(turn.sine.y, 1u)), vec4<f32>(quadBroadcast(turn.halfTangent.y, 1u))), turn, lane);
      b5 = turnPair(&a6, b6, Turn(vec4<f32>(quadBroadcast(turn.sine.z, 1u)), vec4<f32>(quadBroadcast(turn.halfTangent.z, 1u))), turn, lane);
      b6 = turnPair(&a7, b7, Turn(vec4<f32>(quadBroadcast(turn.sine.w, 1u)), vec4<f32>(quadBroadcast(turn.halfTangent.w, 1u))), turn, lane);
      b7 = turnPair(&a8, b8, Turn(vec4<f32>(quadBroadcast(turn.sine.x, 2u)), vec4<f32>(quadBroadcast(turn.halfTangent.x, 2u))), turn, lane);
      b8 = turnPair(&a9, b9, Turn(vec4<f32>(quadBroadcast(turn.sine.y, 2u)), vec4<f32>(quadBroadcast(turn.halfTangent.y, 2u))), turn, lane);
      b9 = turnPair(&a10, b10, Turn(vec4<f32>(quadBroadcast(turn.sine.z, 2u)), vec4<f32>(quadBroadcast(turn.halfTangent.z, 2u))), turn, lane);
      b10 = turnPair(&a11, b11, Turn(vec4<f32>(quadBroadcast(turn.sine.w, 2u)), vec4<f32>(quadBroadcast(turn.halfTangent.w, 2u))), turn, lane);
      b11 = turnPair(&a12, b12, Turn(vec4<f32>(quadBroadcast(turn.sine.x, 3u)), vec4<f32>(quadBroadcast(turn.halfTangent.x, 3u))), turn, lane);
      b12 = turnPair(&a13, b13, Turn(vec4<f32>(quadBroadcast(turn.sine.y, 3u)), vec4<f32>(quadBroadcast(turn.halfTangent.y, 3u))), turn, lane);
      b13 = turnPair(&a14, b14, Turn(vec4<f32>(quadBroadcast(turn.sine.z, 3u)), vec4<f32>(quadBroadcast(turn.halfTangent.z, 3u))), turn, lane);
      b14 = turnPair(&a15, b15, Turn(vec4<f32>(quadBroadcast(turn.sine.w, 3u)), vec4<f32>(quadBroadcast(turn.halfTangent.w, 3u))), turn, lane);
    b15 = first;
    if (!isCrosswise) {
        let last = a15;
        a15 = a14;
        a14 = a13;
        a13 = a12;
        a12 = a11;
        a11 = a10;
        a10 = a9;
        a9 = a8;
        a8 = a7;
        a7 = a6;
        a6 = a5;
        a5 = a4;
        a4 = a3;
        a3 = a2;
        a2 = a1;
        a1 = b15;
        b15 = last;
        a0 = followFull(a0, lane);
        b0 = followFull(b0, lane);
        a1 = followFull(a1, lane);
        b1 = followFull(b1, lane);
        a2 = followFull(a2, lane);
        b2 = followFull(b2, lane);
        a3 = followFull(a3, lane);
        b3 = followFull(b3, lane);
        a4 = followFull(a4, lane);
        b4 = followFull(b4, lane);
        a5 = followFull(a5, lane);
        b5 = followFull(b5, lane);
        a6 = followFull(a6, lane);
        b6 = followFull(b6, lane);
        a7 = followFull(a7, lane);
        b7 = followFull(b7, lane);
        a8 = followFull(a8, lane);
        b8 = followFull(b8, lane);
        a9 = followFull(a9, lane);
        b9 = followFull(b9, lane);
        a10 = followFull(a10, lane);
        b10 = followFull(b10, lane);
        a11 = followFull(a11, lane);
        b11 = followFull(b11, lane);
        a12 = followFull(a12, lane);
        b12 = followFull(b12, lane);
        a13 = followFull(a13, lane);
        b13 = followFull(b13, lane);
        a14 = followFull(a14, lane);
        b14 = followFull(b14, lane);
        a15 = followFull(a15, lane);
        b15 = followFull(b15, lane);
    }
  }
  grams[firstGram + 0u] = a0.a;
  grams[otherGram + 0u] = b0.b;
  grams[firstGram + 4u] = a1.a;
  grams[otherGram + 4u] = b1.b;
  grams[firstGram + 8u] = a2.a;
  grams[otherGram + 8u] = b2.b;
  grams[firstGram + 12u] = a3.a;
  grams[otherGram + 12u] = b3.b;
  grams[firstGram + 16u] = a4.a;
  grams[otherGram + 16u] = b4.b;
  grams[firstGram + 20u] = a5.a;
  grams[otherGram + 20u] = b5.b;
  grams[firstGram + 24u] = a6.a;
  grams[otherGram + 24u] = b6.b;
  grams[firstGram + 28u] = a7.a;
  grams[otherGram + 28u] = b7.b;
  grams[firstGram + 32u] = a8.a;
  grams[otherGram + 32u] = b8.b;
  grams[firstGram + 36u] = a9.a;
  grams[otherGram + 36u] = b9.b;
  grams[firstGram + 40u] = a10.a;
  grams[otherGram + 40u] = b10.b;
  grams[firstGram + 44u] = a11.a;
  grams[otherGram + 44u] = b11.b;
  grams[firstGram + 48u] = a12.a;
  grams[otherGram + 48u] = b12.b;
  grams[firstGram + 52u] = a13.a;
  grams[otherGram + 52u] = b13.b;
  grams[firstGram + 56u] = a14.a;
  grams[otherGram + 56u] = b14.b;
  grams[firstGram + 60u] = a15.a;
  grams[otherGram + 60u] = b15.b;

  if (!isWork) {
    return;
  }
  // Each lane turns the 32 vectors at a group of four rows.
  for (var chunk = 0u; chunk < length; chunk += 4u) {
    let k = chunk + lane;
    // Beyond the end a lane reads the last group again and does not write.
    let at = firstBase + min(k, length - 1u);
    let other = otherBase + min(k, length - 1u);
    var a0 = vectors[at + 0u * length];
    var b0 = vectors[other + 0u * length];
    var a1 = vectors[at + 1u * length];
    var b1 = vectors[other + 1u * length];
    var a2 = vectors[at + 2u * length];
    var b2 = vectors[other + 2u * length];
    var a3 = vectors[at + 3u * length];
    var b3 = vectors[other + 3u * length];
    var a4 = vectors[at + 4u * length];
    var b4 = vectors[other + 4u * length];
    var a5 = vectors[at + 5u * length];
    var b5 = vectors[other + 5u * length];
    var a6 = vectors[at + 6u * length];
    var b6 = vectors[other + 6u * length];
    var a7 = vectors[at + 7u * length];
    var b7 = vectors[other + 7u * length];
    var a8 = vectors[at + 8u * length];
    var b8 = vectors[other + 8u * length];
    var a9 = vectors[at + 9u * length];
    var b9 = vectors[other + 9u * length];
    var a10 = vectors[at + 10u * length];
    var b10 = vectors[other + 10u * length];
    var a11 = vectors[at + 11u * length];
    var b11 = vectors[other + 11u * length];
    var a12 = vectors[at + 12u * length];
    var b12 = vectors[other + 12u * length];
    var a13 = vectors[at + 13u * length];
    var b13 = vectors[other + 13u * length];
    var a14 = vectors[at + 14u * length];
    var b14 = vectors[other + 14u * length];
    var a15 = vectors[at + 15u * length];
    var b15 = vectors[other + 15u * length];
    for (var step = 0u; step < steps; step++) {
      let turn = turns[4u * step + lane];
      let first = turnVectors(&a0, b0, quadBroadcast(turn.sine.x, 0u), quadBroadcast(turn.halfTangent.x, 0u));
      b0 = turnVectors(&a1, b1, quadBroadcast(turn.sine.y, 0u), quadBroadcast(turn.halfTangent.y, 0u));
      b1 = turnVectors(&a2, b2, quadBroadcast(turn.sine.z, 0u), quadBroadcast(turn.halfTangent.z, 0u));
      b2 = turnVectors(&a3, b3, quadBroadcast(turn.sine.w, 0u), quadBroadcast(turn.halfTangent.w, 0u));
      b3 = turnVectors(&a4, b4, quadBroadcast(turn.sine.x, 1u), quadBroadcast(turn.halfTangent.x, 1u));
      b4 = turnVectors(&a5, b5, quadBroadcast(turn.sine.y, 1u), quadBroadcast(turn.halfTangent.y, 1u));
      b5 = turnVectors(&a6, b6, quadBroadcast(turn.sine.z, 1u), quadBroadcast(turn.halfTangent.z, 1u));
      b6 = turnVectors(&a7, b7, quadBroadcast(turn.sine.w, 1u), quadBroadcast(turn.halfTangent.w, 1u));
      b7 = turnVectors(&a8, b8, quadBroadcast(turn.sine.x, 2u), quadBroadcast(turn.halfTangent.x, 2u));
      b8 = turnVectors(&a9, b9, quadBroadcast(turn.sine.y, 2u), quadBroadcast(turn.halfTangent.y, 2u));
      b9 = turnVectors(&a10, b10, quadBroadcast(turn.sine.z, 2u), quadBroadcast(turn.halfTangent.z, 2u));
      b10 = turnVectors(&a11, b11, quadBroadcast(turn.sine.w, 2u), quadBroadcast(turn.halfTangent.w, 2u));
      b11 = turnVectors(&a12, b12, quadBroadcast(turn.sine.x, 3u), quadBroadcast(turn.halfTangent.x, 3u));
      b12 = turnVectors(&a13, b13, quadBroadcast(turn.sine.y, 3u), quadBroadcast(turn.halfTangent.y, 3u));
      b13 = turnVectors(&a14, b14, quadBroadcast(turn.sine.z, 3u), quadBroadcast(turn.halfTangent.z, 3u));
      b14 = turnVectors(&a15, b15, quadBroadcast(turn.sine.w, 3u), quadBroadcast(turn.halfTangent.w, 3u));
      b15 = first;
      if (!isCrosswise) {
        let last = a15;
        a15 = a14;
        a14 = a13;
        a13 = a12;
        a12 = a11;
        a11 = a10;
        a10 = a9;
        a9 = a8;
        a8 = a7;
        a7 = a6;
        a6 = a5;
        a5 = a4;
        a4 = a3;
        a3 = a2;
        a2 = a1;
        a1 = b15;
        b15 = last;

      }
    }
    if (k < length) {
      vectors[at + 0u * length] = a0;
      vectors[other + 0u * length] = b0;
      vectors[at + 1u * length] = a1;
      vectors[other + 1u * length] = b1;
      vectors[at + 2u * length] = a2;
      vectors[other + 2u * length] = b2;
      vectors[at + 3u * length] = a3;
      vectors[other + 3u * length] = b3;
      vectors[at + 4u * length] = a4;
      vectors[other + 4u * length] = b4;
      vectors[at + 5u * length] = a5;
      vectors[other + 5u * length] = b5;
      vectors[at + 6u * length] = a6;
      vectors[other + 6u * length] = b6;
      vectors[at + 7u * length] = a7;
      vectors[other + 7u * length] = b7;
      vectors[at + 8u * length] = a8;
      vectors[other + 8u * length] = b8;
      vectors[at + 9u * length] = a9;
      vectors[other + 9u * length] = b9;
      vectors[at + 10u * length] = a10;
      vectors[other + 10u * length] = b10;
      vectors[at + 11u * length] = a11;
      vectors[other + 11u * length] = b11;
      vectors[at + 12u * length] = a12;
      vectors[other + 12u * length] = b12;
      vectors[at + 13u * length] = a13;
      vectors[other + 13u * length] = b13;
      vectors[at + 14u * length] = a14;
      vectors[other + 14u * length] = b14;
      vectors[at + 15u * length] = a15;
      vectors[other + 15u * length] = b15;
    }
  }
}
