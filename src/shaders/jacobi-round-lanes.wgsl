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

/// What four rows, one a lane, add to a lane's four products of one vector.
fn products(x: f32, b0: vec4<f32>, b1: vec4<f32>, b2: vec4<f32>, b3: vec4<f32>) -> vec4<f32> {
  return (quadBroadcast(x, 0u) * b0 + quadBroadcast(x, 1u) * b1) + (quadBroadcast(x, 2u) * b2 + quadBroadcast(x, 3u) * b3);
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
      let by = vec4<f32>(own0.y, own1.y, own2.y, own3.y);
      let bz = vec4<f32>(own0.z, own1.z, own2.z, own3.z);
      let bw = vec4<f32>(own0.w, own1.w, own2.w, own3.w);
      sum0 += products(x0, bx, by, bz, bw);
      sum1 += products(x1, bx, by, bz, bw);
      sum2 += products(x2, bx, by, bz, bw);
      sum3 += products(x3, bx, by, bz, bw);
      sum4 += products(x4, bx, by, bz, bw);
      sum5 += products(x5, bx, by, bz, bw);
      sum6 += products(x6, bx, by, bz, bw);
      sum7 += products(x7, bx, by, bz, bw);
      sum8 += products(x8, bx, by, bz, bw);
      sum9 += products(x9, bx, by, bz, bw);
      sum10 += products(x10, bx, by, bz, bw);
      sum11 += products(x11, bx, by, bz, bw);
      sum12 += products(x12, bx, by, bz, bw);
      sum13 += products(x13, bx, by, bz, bw);
      sum14 += products(x14, bx, by, bz, bw);
      sum15 += products(x15, bx, by, bz, bw);
    }
    // Every access of memory is dear to compile, so that they stand in loops.
    let sums = array<vec4<f32>, 16>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7, sum8, sum9, sum10, sum11, sum12, sum13, sum14, sum15);
    let at = select(select(4u, 0u, tile == 1u), 132u, tile == 2u) + lane;
    for (var i = 0u; i < 16u; i++) {
      gram[at + 8u * i] = sums[i];
    }
  }
  if (isCrosswise) {
    for (var i = 0u; i < 16u; i++) {
      gram[8u * i + lane] = grams[firstGram + 4u * i];
      gram[8u * i + 132u + lane] = grams[otherGram + 4u * i];
    }
  }
  workgroupBarrier();
  var rows: array<Row, 32>;
  for (var i = 0u; i < 16u; i++) {
    rows[i] = Row(gram[8u * i + lane], gram[8u * i + 4u + lane]);
    let above = 32u * lane + 4u + i / 4u;
    rows[i + 16u] = Row(
      vec4<f32>(gram[above][i % 4u], gram[above + 8u][i % 4u], gram[above + 16u][i % 4u], gram[above + 24u][i % 4u]),
      gram[8u * i + 132u + lane],
    );
  }
  var a0 = rows[0];
  var b0 = rows[16];
  var a1 = rows[1];
  var b1 = rows[17];
  var a2 = rows[2];
  var b2 = rows[18];
  var a3 = rows[3];
  var b3 = rows[19];
  var a4 = rows[4];
  var b4 = rows[20];
  var a5 = rows[5];
  var b5 = rows[21];
  var a6 = rows[6];
  var b6 = rows[22];
  var a7 = rows[7];
  var b7 = rows[23];
  var a8 = rows[8];
  var b8 = rows[24];
  var a9 = rows[9];
  var b9 = rows[25];
  var a10 = rows[10];
  var b10 = rows[26];
  var a11 = rows[11];
  var b11 = rows[27];
  var a12 = rows[12];
  var b12 = rows[28];
  var a13 = rows[13];
  var b13 = rows[29];
  var a14 = rows[14];
  var b14 = rows[30];
  var a15 = rows[15];
  var b15 = rows[31];

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
  let kept = array<vec4<f32>, 32>(a0.a, a1.a, a2.a, a3.a, a4.a, a5.a, a6.a, a7.a, a8.a, a9.a, a10.a, a11.a, a12.a, a13.a, a14.a, a15.a, b0.b, b1.b, b2.b, b3.b, b4.b, b5.b, b6.b, b7.b, b8.b, b9.b, b10.b, b11.b, b12.b, b13.b, b14.b, b15.b);
  for (var i = 0u; i < 16u; i++) {
    grams[firstGram + 4u * i] = kept[i];
    grams[otherGram + 4u * i] = kept[i + 16u];
  }

  if (!isWork) {
    return;
  }
  // Each lane turns the 32 vectors at a group of four rows.
  for (var chunk = 0u; chunk < length; chunk += 4u) {
    let k = chunk + lane;
    // Beyond the end a lane reads the last group again and does not write.
    let at = firstBase + min(k, length - 1u);
    let other = otherBase + min(k, length - 1u);
    var held: array<vec4<f32>, 32>;
    for (var i = 0u; i < 16u; i++) {
      held[i] = vectors[at + i * length];
      held[i + 16u] = vectors[other + i * length];
    }
    var a0 = held[0];
    var b0 = held[16];
    var a1 = held[1];
    var b1 = held[17];
    var a2 = held[2];
    var b2 = held[18];
    var a3 = held[3];
    var b3 = held[19];
    var a4 = held[4];
    var b4 = held[20];
    var a5 = held[5];
    var b5 = held[21];
    var a6 = held[6];
    var b6 = held[22];
    var a7 = held[7];
    var b7 = held[23];
    var a8 = held[8];
    var b8 = held[24];
    var a9 = held[9];
    var b9 = held[25];
    var a10 = held[10];
    var b10 = held[26];
    var a11 = held[11];
    var b11 = held[27];
    var a12 = held[12];
    var b12 = held[28];
    var a13 = held[13];
    var b13 = held[29];
    var a14 = held[14];
    var b14 = held[30];
    var a15 = held[15];
    var b15 = held[31];
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
      let turned = array<vec4<f32>, 32>(a0, a1, a2, a3, a4, a5, a6, a7, a8, a9, a10, a11, a12, a13, a14, a15, b0, b1, b2, b3, b4, b5, b6, b7, b8, b9, b10, b11, b12, b13, b14, b15);
      for (var i = 0u; i < 16u; i++) {
        vectors[at + i * length] = turned[i];
        vectors[other + i * length] = turned[i + 16u];
      }
    }
  }
}
