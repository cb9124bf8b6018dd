// B = C V beyond float32, as project-vectors.wgsl, with the same operands, where a CPU plays the GPU with subgroups of four
// lanes, or of eight. That file says what is split, and why nothing is lost.
//
// One workgroup, of `lanes` threads, a subgroup, makes 4 · lanes rows by 16 directions: a lane has a group of four rows, and
// hands the coefficients of four directions round. The grid is (groups of 4 · lanes rows from `firstGroup` on, padded / 16,
// matrices).
// Includes snippets/powers-of-two.wgsl and snippets/split-sums.wgsl.

enable subgroups;
// All lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  vectors: u32, // centred vectors per matrix
  padded: u32, // directions per matrix, a multiple of 32
  length4: u32,
  firstGroup: u32, // the 4 · lanes rows at which this dispatch begins
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> centred: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> summary: array<u32>;
@group(0) @binding(3) var<storage, read> order: array<u32>; // of the centred vectors
@group(0) @binding(4) var<storage, read> sorted: array<f32>; // their norms
@group(0) @binding(5) var<storage, read> lower: array<f32>; // w_j[k]
@group(0) @binding(6) var<storage, read> directions: array<vec4<u32>>; // from direction-extents
@group(0) @binding(7) var<storage, read> extents: array<vec4<f32>>; // from row-extents
@group(0) @binding(8) var<storage, read_write> projected: array<vec4<f32>>;

const SLAB = 16u;

// 4, or 8 where subgroups have as many: then each four of them hand coefficients round.
override lanes: u32 = 4u;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.z;
  let base = matrix * shape.padded;
  let row4 = (shape.firstGroup + group.x) * lanes + lane;
  // Beyond the end a lane reads the last group again and does not write.
  let readRow4 = min(row4, shape.length4 - 1u);
  let extent = extents[matrix * shape.length4 + readRow4];
  let inverseExtent = inversePower(extent);
  let firstDirection = base + group.y * 16u;
  let own = firstDirection + 4u * (lane % 4u);
  let own0 = directions[own];
  let own1 = directions[own + 1u];
  let own2 = directions[own + 2u];
  let own3 = directions[own + 3u];
  let at0 = (base + own0.x) * shape.padded;
  let at1 = (base + own1.x) * shape.padded;
  let at2 = (base + own2.x) * shape.padded;
  let at3 = (base + own3.x) * shape.padded;
  let inverses = bitcast<vec4<f32>>(vec4<u32>(own0.y, own1.y, own2.y, own3.y));
  let scale = centredScale(summary[4u * matrix + 2u]);

  var sums: array<Sums, 16>;
  // Beyond the vectors, up to whole slabs, the coefficients are zero.
  for (var slab = 0u; slab < shape.vectors; slab += SLAB) {
    var whole0 = vec4<f32>();
    var rest0 = vec4<f32>();
    var whole1 = vec4<f32>();
    var rest1 = vec4<f32>();
    var whole2 = vec4<f32>();
    var rest2 = vec4<f32>();
    var whole3 = vec4<f32>();
    var rest3 = vec4<f32>();
    var whole4 = vec4<f32>();
    var rest4 = vec4<f32>();
    var whole5 = vec4<f32>();
    var rest5 = vec4<f32>();
    var whole6 = vec4<f32>();
    var rest6 = vec4<f32>();
    var whole7 = vec4<f32>();
    var rest7 = vec4<f32>();
    var whole8 = vec4<f32>();
    var rest8 = vec4<f32>();
    var whole9 = vec4<f32>();
    var rest9 = vec4<f32>();
    var whole10 = vec4<f32>();
    var rest10 = vec4<f32>();
    var whole11 = vec4<f32>();
    var rest11 = vec4<f32>();
    var whole12 = vec4<f32>();
    var rest12 = vec4<f32>();
    var whole13 = vec4<f32>();
    var rest13 = vec4<f32>();
    var whole14 = vec4<f32>();
    var rest14 = vec4<f32>();
    var whole15 = vec4<f32>();
    var rest15 = vec4<f32>();
    for (var k = slab; k < slab + SLAB; k++) {
      let power = powerUnder(sorted[base + k]);
      let vector = matrix * shape.vectors + min(order[base + k], shape.vectors - 1u);
      let factor = scale * inversePower(vec4<f32>(power));
      let row = split(centred[vector * shape.length4 + readRow4] * factor * inverseExtent);
      let coefficients = vec4<f32>(lower[at0 + k], lower[at1 + k], lower[at2 + k], lower[at3 + k]);
      let values = 1024.0 * (coefficients * power * inverses);
      let digits = round(values);
      let rests = values - digits;
      whole0 += subgroupBroadcast(digits.x, 0u) * row.digit;
      rest0 += subgroupBroadcast(values.x, 0u) * row.rest + subgroupBroadcast(rests.x, 0u) * row.digit;
      whole1 += subgroupBroadcast(digits.y, 0u) * row.digit;
      rest1 += subgroupBroadcast(values.y, 0u) * row.rest + subgroupBroadcast(rests.y, 0u) * row.digit;
      whole2 += subgroupBroadcast(digits.z, 0u) * row.digit;
      rest2 += subgroupBroadcast(values.z, 0u) * row.rest + subgroupBroadcast(rests.z, 0u) * row.digit;
      whole3 += subgroupBroadcast(digits.w, 0u) * row.digit;
      rest3 += subgroupBroadcast(values.w, 0u) * row.rest + subgroupBroadcast(rests.w, 0u) * row.digit;
      whole4 += subgroupBroadcast(digits.x, 1u) * row.digit;
      rest4 += subgroupBroadcast(values.x, 1u) * row.rest + subgroupBroadcast(rests.x, 1u) * row.digit;
      whole5 += subgroupBroadcast(digits.y, 1u) * row.digit;
      rest5 += subgroupBroadcast(values.y, 1u) * row.rest + subgroupBroadcast(rests.y, 1u) * row.digit;
      whole6 += subgroupBroadcast(digits.z, 1u) * row.digit;
      rest6 += subgroupBroadcast(values.z, 1u) * row.rest + subgroupBroadcast(rests.z, 1u) * row.digit;
      whole7 += subgroupBroadcast(digits.w, 1u) * row.digit;
      rest7 += subgroupBroadcast(values.w, 1u) * row.rest + subgroupBroadcast(rests.w, 1u) * row.digit;
      whole8 += subgroupBroadcast(digits.x, 2u) * row.digit;
      rest8 += subgroupBroadcast(values.x, 2u) * row.rest + subgroupBroadcast(rests.x, 2u) * row.digit;
      whole9 += subgroupBroadcast(digits.y, 2u) * row.digit;
      rest9 += subgroupBroadcast(values.y, 2u) * row.rest + subgroupBroadcast(rests.y, 2u) * row.digit;
      whole10 += subgroupBroadcast(digits.z, 2u) * row.digit;
      rest10 += subgroupBroadcast(values.z, 2u) * row.rest + subgroupBroadcast(rests.z, 2u) * row.digit;
      whole11 += subgroupBroadcast(digits.w, 2u) * row.digit;
      rest11 += subgroupBroadcast(values.w, 2u) * row.rest + subgroupBroadcast(rests.w, 2u) * row.digit;
      whole12 += subgroupBroadcast(digits.x, 3u) * row.digit;
      rest12 += subgroupBroadcast(values.x, 3u) * row.rest + subgroupBroadcast(rests.x, 3u) * row.digit;
      whole13 += subgroupBroadcast(digits.y, 3u) * row.digit;
      rest13 += subgroupBroadcast(values.y, 3u) * row.rest + subgroupBroadcast(rests.y, 3u) * row.digit;
      whole14 += subgroupBroadcast(digits.z, 3u) * row.digit;
      rest14 += subgroupBroadcast(values.z, 3u) * row.rest + subgroupBroadcast(rests.z, 3u) * row.digit;
      whole15 += subgroupBroadcast(digits.w, 3u) * row.digit;
      rest15 += subgroupBroadcast(values.w, 3u) * row.rest + subgroupBroadcast(rests.w, 3u) * row.digit;
    }
    let wholes = array<vec4<f32>, 16>(
      whole0, whole1, whole2, whole3, whole4, whole5, whole6, whole7,
      whole8, whole9, whole10, whole11, whole12, whole13, whole14, whole15,
    );
    let others = array<vec4<f32>, 16>(
      rest0, rest1, rest2, rest3, rest4, rest5, rest6, rest7,
      rest8, rest9, rest10, rest11, rest12, rest13, rest14, rest15,
    );
    for (var i = 0u; i < 16u; i++) {
      sums[i] = added(sums[i], wholes[i], others[i]);
    }
  }

  if (row4 < shape.length4) {
    let target0 = firstDirection * shape.length4 + row4;
    for (var i = 0u; i < 16u; i++) {
      let factor = bitcast<f32>(directions[firstDirection + i].z);
      projected[target0 + i * shape.length4] = value(sums[i]) * extent * factor;
    }
  }
}
