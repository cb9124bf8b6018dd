// The angles by which a Jacobi round turns pairs of vectors: its second part (see jacobi-round.wgsl) where a CPU plays the GPU with
// subgroups of four lanes. It follows jacobi-round-lanes-products.wgsl, and jacobi-round-lanes-turns.wgsl follows it.
//
//   grams      F32 [matrices, 3/2 blocks, 16, 16]: of those products; afterwards, within each block, those of the turned vectors
//   floors     F32 [matrices]: vectors at or under it count as zero
//   progress   U32 [matrices, 2]: converged, sweeps so far; a matrix that has converged is left alone
//   worst      U32 [matrices]: becomes the bits of the largest |cosine| of the turned pairs before turning
//   steps      U32 [matrices, blocks / 2]: becomes the number of steps of each pair of blocks; 0 where no pair needs turning
//   turns      F32 [matrices, blocks / 2, 31, 4, 8]: becomes of each step and lane four sines and the tangents of half the angles
//
// One workgroup per (pair, matrix), of four threads, a subgroup; the grid is (blocks / 2, matrices). The Gram matrix of the
// pair's 32 vectors is private: a lane has four columns of either block. A step turns 16 pairs of its rows and columns;
// pairs meet because the second block moves on by one place per step. `crosswise` 0, the first round of a sweep, turns all
// pairs of the 32 vectors, as in a round-robin tournament. `crosswise` 1 turns pairs of different blocks only.
//
// What SwiftShader takes long to compile are accesses of memory and values that loops carry. So accesses stand in loops,
// and rows lie in an array at constant places. Includes snippets/block-pair.wgsl.

enable subgroups;
// All four lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  blocks: u32, // an even number
  round: u32, // 0 .. blocks - 2
  crosswise: u32,
}

// Rotations of four pairs: their sines, and the tangents of half their angles.
struct Turn {
  sine: vec4<f32>,
  halfTangent: vec4<f32>,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> grams: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> floors: array<f32>;
@group(0) @binding(3) var<storage, read> progress: array<u32>;
@group(0) @binding(4) var<storage, read_write> worst: array<atomic<u32>>;
@group(0) @binding(5) var<storage, read_write> steps: array<u32>;
@group(0) @binding(6) var<storage, read_write> turns: array<Turn>;

// Cosines under this are rounding: a rotation would not improve them.
const ROTATE_ABOVE = 1e-7;
// A pair whose every cosine is under this is left alone.
const WORK_ABOVE = 2.5e-7;

// A lane's part of one row of the Gram matrix: the columns 4 lane .. 4 lane + 3 of either block.
struct Row {
  a: vec4<f32>,
  b: vec4<f32>,
}

// 1 / √x, and 0 for vectors that count as zero.
fn inverseRoots(squares: vec4<f32>, floorSquares: vec4<f32>) -> vec4<f32> {
  return select(vec4<f32>(), inverseSqrt(max(squares, floorSquares)), squares > floorSquares);
}

// The squares of the norms of this lane's four vectors of a block.
fn squaresOf(gram: u32, lane: u32) -> vec4<f32> {
  let at = gram + 17u * lane;
  return vec4<f32>(grams[at].x, grams[at + 4u].y, grams[at + 8u].z, grams[at + 12u].w);
}

fn chosen(row: Row, other: Row, isOther: bool) -> Row {
  return Row(select(row.a, other.a, isOther), select(row.b, other.b, isOther));
}

// The vector that has this lane's number.
fn ofLane(lane: u32, x0: vec4<f32>, x1: vec4<f32>, x2: vec4<f32>, x3: vec4<f32>) -> vec4<f32> {
  return select(select(x0, x1, lane == 1u), select(x2, x3, lane == 3u), lane >= 2u);
}

// The values of the next lane; the last one's are the first one's.
fn fromNext(x: f32, lane: u32) -> f32 {
  return select(quadSwapX(x), quadSwapDiagonal(x), (lane & 1u) == 1u);
}

// The values of the previous lane; the first one's are the last one's.
fn fromPrevious(x: f32, lane: u32) -> f32 {
  return select(quadSwapX(x), quadSwapDiagonal(x), (lane & 1u) == 0u);
}

// Turns this lane's columns of one row, and moves the second block's on by one place.
fn turnColumns(row: Row, turn: Turn, lane: u32) -> Row {
  let a = row.a - turn.halfTangent * row.b;
  let b = row.b + turn.sine * a;
  return Row(a - turn.halfTangent * b, vec4<f32>(b.yzw, fromNext(b.x, lane)));
}

// Turns two rows, then all columns of both, and moves the second block's columns on by one place. The first row stays
// where it is, the second is returned.
fn turnPair(
  first: ptr<function, Row>,
  second: Row,
  sine: f32,
  halfTangent: f32,
  turn: Turn,
  lane: u32,
) -> Row {
  var x = *first;
  x = Row(x.a - halfTangent * second.a, x.b - halfTangent * second.b);
  let y = Row(second.a + sine * x.a, second.b + sine * x.b);
  *first = turnColumns(Row(x.a - halfTangent * y.a, x.b - halfTangent * y.b), turn, lane);
  return turnColumns(y, turn, lane);
}

// Moves a row's columns as the tournament moves its players: what the first block's second place gets is in the second
// block's last place already, and goes to and fro.
fn followFull(row: Row, lane: u32) -> Row {
  let fromB = quadBroadcast(row.b.w, 3u);
  let previous = fromPrevious(row.a.w, lane);
  return Row(
    select(vec4<f32>(previous, row.a.xyz), vec4<f32>(row.a.x, fromB, row.a.yz), lane == 0u),
    vec4<f32>(row.b.xyz, select(row.b.w, row.a.w, lane == 3u)),
  );
}

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.y;
  if (progress[2u * matrix] == 1u) {
    return;
  }
  let isCrosswise = shape.crosswise == 1u;
  let pair = blockPair(group.x);
  let blocksBefore = matrix * (shape.blocks + shape.blocks / 2u);
  let firstGram = (blocksBefore + pair.first) * 64u;
  let otherGram = (blocksBefore + pair.other) * 64u;
  let crossGram = (blocksBefore + shape.blocks + group.x) * 64u;
  let pairNumber = matrix * (shape.blocks / 2u) + group.x;
  let firstTurn = 124u * pairNumber + lane;

  let floorSquare = max(floors[matrix] * floors[matrix], 1e-34);
  let floorSquares = vec4<f32>(floorSquare);
  // Of this lane's columns.
  let rootsA = inverseRoots(squaresOf(firstGram, lane), floorSquares);
  let rootsB = inverseRoots(squaresOf(otherGram, lane), floorSquares);
  var rows: array<Row, 32>;
  var crossing = vec4<f32>();
  var withinA = vec4<f32>();
  var withinB = vec4<f32>();
  for (var i = 0u; i < 16u; i++) {
    let first = grams[firstGram + 4u * i + lane];
    let cross = grams[crossGram + 4u * i + lane];
    let other = grams[otherGram + 4u * i + lane];
    let above = crossGram + 16u * lane + i / 4u;
    rows[i] = Row(first, cross);
    rows[i + 16u] = Row(
      vec4<f32>(grams[above][i % 4u], grams[above + 4u][i % 4u], grams[above + 8u][i % 4u], grams[above + 12u][i % 4u]),
      other,
    );
    let at = 4u * i + i / 4u;
    let squares = vec4<f32>(grams[firstGram + at][i % 4u], grams[otherGram + at][i % 4u], 0.0, 0.0);
    let roots = inverseRoots(squares, floorSquares);
    let isOther = 4u * lane + vec4<u32>(0u, 1u, 2u, 3u) != vec4<u32>(i);
    crossing = max(crossing, abs(cross) * roots.x);
    withinA = max(withinA, select(vec4<f32>(), abs(first), isOther) * roots.x);
    withinB = max(withinB, select(vec4<f32>(), abs(other), isOther) * roots.y);
  }
  // In a crosswise round the pairs within a block are not turned.
  let within = select(max(withinA * rootsA, withinB * rootsB), vec4<f32>(), isCrosswise);
  let cosines = max(crossing * rootsB, within);
  var cosine = max(max(cosines.x, cosines.y), max(cosines.z, cosines.w));
  cosine = max(cosine, quadSwapX(cosine));
  cosine = max(cosine, quadSwapY(cosine));
  let isWork = cosine > WORK_ABOVE;
  let count = select(0u, select(31u, 16u, isCrosswise), isWork);
  if (lane == 0u) {
    atomicMax(&worst[matrix], bitcast<u32>(cosine));
    steps[pairNumber] = count;
  }
  if (!isWork) {
    return;
  }

  for (var step = 0u; step < count; step++) {
    let p = ofLane(
      lane,
      vec4<f32>(rows[0].a.x, rows[1].a.y, rows[2].a.z, rows[3].a.w),
      vec4<f32>(rows[4].a.x, rows[5].a.y, rows[6].a.z, rows[7].a.w),
      vec4<f32>(rows[8].a.x, rows[9].a.y, rows[10].a.z, rows[11].a.w),
      vec4<f32>(rows[12].a.x, rows[13].a.y, rows[14].a.z, rows[15].a.w),
    );
    let q = ofLane(
      lane,
      vec4<f32>(rows[16].b.x, rows[17].b.y, rows[18].b.z, rows[19].b.w),
      vec4<f32>(rows[20].b.x, rows[21].b.y, rows[22].b.z, rows[23].b.w),
      vec4<f32>(rows[24].b.x, rows[25].b.y, rows[26].b.z, rows[27].b.w),
      vec4<f32>(rows[28].b.x, rows[29].b.y, rows[30].b.z, rows[31].b.w),
    );
    let overlap = ofLane(
      lane,
      vec4<f32>(rows[0].b.x, rows[1].b.y, rows[2].b.z, rows[3].b.w),
      vec4<f32>(rows[4].b.x, rows[5].b.y, rows[6].b.z, rows[7].b.w),
      vec4<f32>(rows[8].b.x, rows[9].b.y, rows[10].b.z, rows[11].b.w),
      vec4<f32>(rows[12].b.x, rows[13].b.y, rows[14].b.z, rows[15].b.w),
    );
    let limit = ROTATE_ABOVE * sqrt(max(p, floorSquares)) * sqrt(max(q, floorSquares));
    let isTurned = (p > floorSquares) & (q > floorSquares) & (abs(overlap) > limit);
    let zeta = (q - p) / (2.0 * select(vec4<f32>(1.0), overlap, isTurned));
    let tangent = select(vec4<f32>(1.0), vec4<f32>(-1.0), zeta < vec4<f32>()) / (abs(zeta) + sqrt(1.0 + zeta * zeta));
    // Whether a rotation is orthogonal depends on how exactly its sine fits half its angle's tangent. The tangent may be
    // off by what WGSL allows for a square root. So the sine is computed from the tangent, by a quotient that is refined once.
    let halfTangent = tangent / (1.0 + sqrt(1.0 + tangent * tangent));
    let divisor = 1.0 + halfTangent * halfTangent;
    let rough = 2.0 * halfTangent / divisor;
    let sine = rough + (2.0 * halfTangent - rough * divisor) / divisor;
    let turn = Turn(select(vec4<f32>(), sine, isTurned), select(vec4<f32>(), halfTangent, isTurned));
    turns[firstTurn + 4u * step] = turn;
    let sine4 = turn.sine;
    let half4 = turn.halfTangent;
    let first = turnPair(&rows[0], rows[16], quadBroadcast(sine4.x, 0u), quadBroadcast(half4.x, 0u), turn, lane);
    rows[16] = turnPair(&rows[1], rows[17], quadBroadcast(sine4.y, 0u), quadBroadcast(half4.y, 0u), turn, lane);
    rows[17] = turnPair(&rows[2], rows[18], quadBroadcast(sine4.z, 0u), quadBroadcast(half4.z, 0u), turn, lane);
    rows[18] = turnPair(&rows[3], rows[19], quadBroadcast(sine4.w, 0u), quadBroadcast(half4.w, 0u), turn, lane);
    rows[19] = turnPair(&rows[4], rows[20], quadBroadcast(sine4.x, 1u), quadBroadcast(half4.x, 1u), turn, lane);
    rows[20] = turnPair(&rows[5], rows[21], quadBroadcast(sine4.y, 1u), quadBroadcast(half4.y, 1u), turn, lane);
    rows[21] = turnPair(&rows[6], rows[22], quadBroadcast(sine4.z, 1u), quadBroadcast(half4.z, 1u), turn, lane);
    rows[22] = turnPair(&rows[7], rows[23], quadBroadcast(sine4.w, 1u), quadBroadcast(half4.w, 1u), turn, lane);
    rows[23] = turnPair(&rows[8], rows[24], quadBroadcast(sine4.x, 2u), quadBroadcast(half4.x, 2u), turn, lane);
    rows[24] = turnPair(&rows[9], rows[25], quadBroadcast(sine4.y, 2u), quadBroadcast(half4.y, 2u), turn, lane);
    rows[25] = turnPair(&rows[10], rows[26], quadBroadcast(sine4.z, 2u), quadBroadcast(half4.z, 2u), turn, lane);
    rows[26] = turnPair(&rows[11], rows[27], quadBroadcast(sine4.w, 2u), quadBroadcast(half4.w, 2u), turn, lane);
    rows[27] = turnPair(&rows[12], rows[28], quadBroadcast(sine4.x, 3u), quadBroadcast(half4.x, 3u), turn, lane);
    rows[28] = turnPair(&rows[13], rows[29], quadBroadcast(sine4.y, 3u), quadBroadcast(half4.y, 3u), turn, lane);
    rows[29] = turnPair(&rows[14], rows[30], quadBroadcast(sine4.z, 3u), quadBroadcast(half4.z, 3u), turn, lane);
    rows[30] = turnPair(&rows[15], rows[31], quadBroadcast(sine4.w, 3u), quadBroadcast(half4.w, 3u), turn, lane);
    rows[31] = first;
    if (!isCrosswise) {
      // The first block's rows move on by one place, except for the first.
      var moving = rows[31];
      for (var i = 0u; i < 32u; i++) {
        let isMoving = i > 0u && i < 16u;
        let row = rows[i];
        rows[i] = followFull(chosen(row, moving, isMoving || i == 31u), lane);
        moving = chosen(moving, row, isMoving);
      }
    }
  }
  for (var i = 0u; i < 16u; i++) {
    grams[firstGram + 4u * i + lane] = rows[i].a;
    grams[otherGram + 4u * i + lane] = rows[i + 16u].b;
  }
}
