// One round of blocked one-sided Jacobi, as jacobi-round.wgsl, where a CPU plays the GPU with subgroups of four lanes: makes
// the vectors of each pair of 16-vector blocks more nearly orthogonal.
//
//   vectors   F32 [matrices, 16 · blocks, length]
//   grams     F32 [matrices, blocks, 16, 16]: the products within each block
//   floors    F32 [matrices]: vectors at or under it count as zero
//   progress  U32 [matrices, 2]: converged, sweeps so far; a matrix that has converged is left alone
//   worst     U32 [matrices]: becomes the bits of the largest |cosine| of the turned pairs before turning
//
// One workgroup per (pair, matrix), of four threads, a subgroup; the grid is (blocks / 2, matrices). The Gram matrix of the
// pair's 32 vectors is private: a lane has four columns of either block. A step turns 16 pairs of its rows and columns;
// pairs meet because the second block moves on by one place per step. The angles are kept, and then the vectors themselves
// are turned by them, four groups of rows at a time.
//
// `crosswise` 0, the first round of a sweep, turns all pairs of the 32 vectors, as in a round-robin tournament, and sums
// the whole Gram matrix. `crosswise` 1 turns pairs of different blocks only and sums only their products; those within a
// block are what the round before left in `grams`.
//
// What SwiftShader takes long to compile are accesses of memory and values that loops carry. So accesses stand in loops,
// and rows lie in arrays at constant places.

enable subgroups;
// All four lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  blocks: u32, // an even number
  length4: u32,
  round: u32, // 0 .. blocks - 2
  crosswise: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> vectors: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> grams: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> floors: array<f32>;
@group(0) @binding(4) var<storage, read> progress: array<u32>; // converged, sweeps; two words a matrix
@group(0) @binding(5) var<storage, read_write> worst: array<atomic<u32>>;

// Cosines under this are rounding: a rotation would not improve them.
const ROTATE_ABOVE = 1e-7;
// A pair whose every cosine is under this is left alone.
const WORK_ABOVE = 2.5e-7;

// A lane's part of one row of the Gram matrix: the columns 4 lane .. 4 lane + 3 of either block.
struct Row {
  a: vec4<f32>,
  b: vec4<f32>,
}

// Rotations of four pairs: their sines, and the tangents of half their angles.
struct Turn {
  sine: vec4<f32>,
  halfTangent: vec4<f32>,
}

var<workgroup> gram: array<vec4<f32>, 256>;
var<workgroup> turns: array<Turn, 124>; // [step, lane]; a lane reads what it wrote

// What four rows, one per lane, add to a lane's four products of one vector.
fn products4(x: f32, b0: vec4<f32>, b1: vec4<f32>, b2: vec4<f32>, b3: vec4<f32>) -> vec4<f32> {
  let firstTwo = quadBroadcast(x, 0u) * b0 + quadBroadcast(x, 1u) * b1;
  return firstTwo + (quadBroadcast(x, 2u) * b2 + quadBroadcast(x, 3u) * b3);
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
  let b = row.b + turn.sine * (row.a - turn.halfTangent * row.b);
  return Row(
    row.a - turn.sine * (row.b + turn.halfTangent * row.a),
    vec4<f32>(b.yzw, fromNext(b.x, lane)),
  );
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
  let a = *first;
  let x = Row(
    a.a - sine * (second.a + halfTangent * a.a),
    a.b - sine * (second.b + halfTangent * a.b),
  );
  let y = Row(
    second.a + sine * (a.a - halfTangent * second.a),
    second.b + sine * (a.b - halfTangent * second.b),
  );
  *first = turnColumns(x, turn, lane);
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

// Turns two vectors; the first stays where it is, the second is returned.
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
  let length = shape.length4;
  let isCrosswise = shape.crosswise == 1u;
  let cycle = shape.blocks - 1u;
  let oneBlock = select((shape.round + group.x) % cycle, cycle, group.x == 0u);
  let twoBlock = (shape.round + cycle - group.x) % cycle;
  let firstBlock = matrix * shape.blocks + min(oneBlock, twoBlock);
  let otherBlock = matrix * shape.blocks + max(oneBlock, twoBlock);
  let firstBase = firstBlock * 16u * length;
  let otherBase = otherBlock * 16u * length;
  let firstGram = firstBlock * 64u + lane;
  let otherGram = otherBlock * 64u + lane;

  // Tiles of 16 x 16 products: first block by other, and in a sweep's first round first by first and other by other.
  for (var tile = 0u; tile < select(3u, 1u, isCrosswise); tile++) {
    let own = select(otherBase, firstBase, tile == 1u) + 4u * lane * length;
    let place = select(select(4u, 0u, tile == 1u), 132u, tile == 2u) + lane;
    // Eight rows of products at a time.
    for (var half = 0u; half < 16u; half += 8u) {
      let other = select(firstBase, otherBase, tile == 2u) + half * length;
      var sum0 = vec4<f32>();
      var sum1 = vec4<f32>();
      var sum2 = vec4<f32>();
      var sum3 = vec4<f32>();
      var sum4 = vec4<f32>();
      var sum5 = vec4<f32>();
      var sum6 = vec4<f32>();
      var sum7 = vec4<f32>();
      for (var k = 0u; k < length; k++) {
        let own0 = vectors[own + k];
        let own1 = vectors[own + length + k];
        let own2 = vectors[own + 2u * length + k];
        let own3 = vectors[own + 3u * length + k];
        let b0 = vec4<f32>(own0.x, own1.x, own2.x, own3.x);
        let b1 = vec4<f32>(own0.y, own1.y, own2.y, own3.y);
        let b2 = vec4<f32>(own0.z, own1.z, own2.z, own3.z);
        let b3 = vec4<f32>(own0.w, own1.w, own2.w, own3.w);
        sum0 += products4(vectors[other + 0u * length + k][lane], b0, b1, b2, b3);
        sum1 += products4(vectors[other + 1u * length + k][lane], b0, b1, b2, b3);
        sum2 += products4(vectors[other + 2u * length + k][lane], b0, b1, b2, b3);
        sum3 += products4(vectors[other + 3u * length + k][lane], b0, b1, b2, b3);
        sum4 += products4(vectors[other + 4u * length + k][lane], b0, b1, b2, b3);
        sum5 += products4(vectors[other + 5u * length + k][lane], b0, b1, b2, b3);
        sum6 += products4(vectors[other + 6u * length + k][lane], b0, b1, b2, b3);
        sum7 += products4(vectors[other + 7u * length + k][lane], b0, b1, b2, b3);
      }
      let sums = array<vec4<f32>, 8>(sum0, sum1, sum2, sum3, sum4, sum5, sum6, sum7);
      for (var i = 0u; i < 8u; i++) {
        gram[place + 8u * (half + i)] = sums[i];
      }
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

  let floorSquare = max(floors[matrix] * floors[matrix], 1e-34);
  let floorSquares = vec4<f32>(floorSquare);
  let squaresB = ofLane(
    lane,
    vec4<f32>(rows[16].b.x, rows[17].b.y, rows[18].b.z, rows[19].b.w),
    vec4<f32>(rows[20].b.x, rows[21].b.y, rows[22].b.z, rows[23].b.w),
    vec4<f32>(rows[24].b.x, rows[25].b.y, rows[26].b.z, rows[27].b.w),
    vec4<f32>(rows[28].b.x, rows[29].b.y, rows[30].b.z, rows[31].b.w),
  );
  let rootsB = select(vec4<f32>(), inverseSqrt(max(squaresB, floorSquares)), squaresB > floorSquares);
  var crossing = vec4<f32>();
  for (var i = 0u; i < 16u; i++) {
    let square = gram[8u * i + i / 4u][i % 4u];
    let root = select(0.0, inverseSqrt(max(square, floorSquare)), square > floorSquare);
    crossing = max(crossing, abs(rows[i].b) * root);
  }
  crossing *= rootsB;
  var cosine = max(max(crossing.x, crossing.y), max(crossing.z, crossing.w));
  if (!isCrosswise) {
    for (var i = lane; i < 32u; i += 4u) {
      let square = gram[8u * i + i / 4u][i % 4u];
      if (square > floorSquare) {
        for (var j = i & 16u; j < i; j++) {
          let otherSquare = gram[8u * j + j / 4u][j % 4u];
          if (otherSquare > floorSquare) {
            let overlap = abs(gram[8u * i + j / 4u][j % 4u]);
            cosine = max(cosine, overlap * inverseSqrt(square) * inverseSqrt(otherSquare));
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
    turns[4u * step + lane] = turn;
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
      let last = rows[15];
      for (var i = 15u; i > 1u; i--) {
        rows[i] = rows[i - 1u];
      }
      rows[1] = rows[31];
      rows[31] = last;
      for (var i = 0u; i < 32u; i++) {
        rows[i] = followFull(rows[i], lane);
      }
    }
  }
  for (var i = 0u; i < 16u; i++) {
    grams[firstGram + 4u * i] = rows[i].a;
    grams[otherGram + 4u * i] = rows[i + 16u].b;
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
    for (var step = 0u; step < steps; step++) {
      let sine = turns[4u * step + lane].sine;
      let half = turns[4u * step + lane].halfTangent;
      let first = turnVectors(&held[0], held[16], quadBroadcast(sine.x, 0u), quadBroadcast(half.x, 0u));
      held[16] = turnVectors(&held[1], held[17], quadBroadcast(sine.y, 0u), quadBroadcast(half.y, 0u));
      held[17] = turnVectors(&held[2], held[18], quadBroadcast(sine.z, 0u), quadBroadcast(half.z, 0u));
      held[18] = turnVectors(&held[3], held[19], quadBroadcast(sine.w, 0u), quadBroadcast(half.w, 0u));
      held[19] = turnVectors(&held[4], held[20], quadBroadcast(sine.x, 1u), quadBroadcast(half.x, 1u));
      held[20] = turnVectors(&held[5], held[21], quadBroadcast(sine.y, 1u), quadBroadcast(half.y, 1u));
      held[21] = turnVectors(&held[6], held[22], quadBroadcast(sine.z, 1u), quadBroadcast(half.z, 1u));
      held[22] = turnVectors(&held[7], held[23], quadBroadcast(sine.w, 1u), quadBroadcast(half.w, 1u));
      held[23] = turnVectors(&held[8], held[24], quadBroadcast(sine.x, 2u), quadBroadcast(half.x, 2u));
      held[24] = turnVectors(&held[9], held[25], quadBroadcast(sine.y, 2u), quadBroadcast(half.y, 2u));
      held[25] = turnVectors(&held[10], held[26], quadBroadcast(sine.z, 2u), quadBroadcast(half.z, 2u));
      held[26] = turnVectors(&held[11], held[27], quadBroadcast(sine.w, 2u), quadBroadcast(half.w, 2u));
      held[27] = turnVectors(&held[12], held[28], quadBroadcast(sine.x, 3u), quadBroadcast(half.x, 3u));
      held[28] = turnVectors(&held[13], held[29], quadBroadcast(sine.y, 3u), quadBroadcast(half.y, 3u));
      held[29] = turnVectors(&held[14], held[30], quadBroadcast(sine.z, 3u), quadBroadcast(half.z, 3u));
      held[30] = turnVectors(&held[15], held[31], quadBroadcast(sine.w, 3u), quadBroadcast(half.w, 3u));
      held[31] = first;
      if (!isCrosswise) {
        let last = held[15];
        for (var i = 15u; i > 1u; i--) {
          held[i] = held[i - 1u];
        }
        held[1] = held[31];
        held[31] = last;
      }
    }
    if (k < length) {
      for (var i = 0u; i < 16u; i++) {
        vectors[at + i * length] = held[i];
        vectors[other + i * length] = held[i + 16u];
      }
    }
  }
}
