// Applies a panel's reflectors to the columns after it, as qr-update, where four lanes make a subgroup: A -= V T' (V' A).
// Golub and Van Loan, Matrix Computations, 5.2 (compact WY form); the panel comes from qr-panel-lanes.
//
// Columns lie contiguous: columns[matrix, column, row]. One workgroup of four threads, a subgroup, takes 16 columns of
// one matrix. For V'A a lane has four columns, and the lanes hand the reflectors round; for the update it has a group of
// four rows.

enable subgroups;
// All four lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Uniforms {
  padded: u32, // columns held a matrix
  length4: u32,
  first: u32, // the panel's first column
}

@group(0) @binding(0) var<uniform> uniforms: Uniforms;
@group(0) @binding(1) var<storage, read_write> columns: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> reflectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> triangle: array<vec4<f32>>;

var<workgroup> products: array<vec4<f32>, 64>; // [reflector, lane]: V'A
var<workgroup> weights: array<vec4<f32>, 64>; // [column, four reflectors]: T' V'A

fn putWeights(reflector: u32, lane: u32, weight: vec4<f32>) {
  let at = 16u * lane + reflector / 4u;
  weights[at][reflector % 4u] = weight.x;
  weights[at + 4u][reflector % 4u] = weight.y;
  weights[at + 8u][reflector % 4u] = weight.z;
  weights[at + 12u][reflector % 4u] = weight.w;
}

@compute @workgroup_size(4)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let matrix = group.y;
  let length = uniforms.length4;
  let begin = uniforms.first / 4u;
  let target0 = (matrix * uniforms.padded + uniforms.first + 16u + 16u * group.x) * length;
  let reflector0 = matrix * 16u * length;

  let own = target0 + 4u * lane * length;
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
  for (var k = begin; k < length; k++) {
    let own0 = columns[own + k];
    let own1 = columns[own + length + k];
    let own2 = columns[own + 2u * length + k];
    let own3 = columns[own + 3u * length + k];
    let x0 = reflectors[reflector0 + 0u * length + k][lane];
    let x1 = reflectors[reflector0 + 1u * length + k][lane];
    let x2 = reflectors[reflector0 + 2u * length + k][lane];
    let x3 = reflectors[reflector0 + 3u * length + k][lane];
    let x4 = reflectors[reflector0 + 4u * length + k][lane];
    let x5 = reflectors[reflector0 + 5u * length + k][lane];
    let x6 = reflectors[reflector0 + 6u * length + k][lane];
    let x7 = reflectors[reflector0 + 7u * length + k][lane];
    let x8 = reflectors[reflector0 + 8u * length + k][lane];
    let x9 = reflectors[reflector0 + 9u * length + k][lane];
    let x10 = reflectors[reflector0 + 10u * length + k][lane];
    let x11 = reflectors[reflector0 + 11u * length + k][lane];
    let x12 = reflectors[reflector0 + 12u * length + k][lane];
    let x13 = reflectors[reflector0 + 13u * length + k][lane];
    let x14 = reflectors[reflector0 + 14u * length + k][lane];
    let x15 = reflectors[reflector0 + 15u * length + k][lane];
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
  products[0u + lane] = sum0;
  products[4u + lane] = sum1;
  products[8u + lane] = sum2;
  products[12u + lane] = sum3;
  products[16u + lane] = sum4;
  products[20u + lane] = sum5;
  products[24u + lane] = sum6;
  products[28u + lane] = sum7;
  products[32u + lane] = sum8;
  products[36u + lane] = sum9;
  products[40u + lane] = sum10;
  products[44u + lane] = sum11;
  products[48u + lane] = sum12;
  products[52u + lane] = sum13;
  products[56u + lane] = sum14;
  products[60u + lane] = sum15;
  var weight0 = vec4<f32>();
  var weight1 = vec4<f32>();
  var weight2 = vec4<f32>();
  var weight3 = vec4<f32>();
  var weight4 = vec4<f32>();
  var weight5 = vec4<f32>();
  var weight6 = vec4<f32>();
  var weight7 = vec4<f32>();
  var weight8 = vec4<f32>();
  var weight9 = vec4<f32>();
  var weight10 = vec4<f32>();
  var weight11 = vec4<f32>();
  var weight12 = vec4<f32>();
  var weight13 = vec4<f32>();
  var weight14 = vec4<f32>();
  var weight15 = vec4<f32>();
  // T is zero below its diagonal.
  for (var j = 0u; j < 16u; j++) {
    let row = triangle[64u * matrix + 4u * j + lane];
    let product = products[4u * j + lane];
    weight0 += quadBroadcast(row.x, 0u) * product;
    weight1 += quadBroadcast(row.y, 0u) * product;
    weight2 += quadBroadcast(row.z, 0u) * product;
    weight3 += quadBroadcast(row.w, 0u) * product;
    weight4 += quadBroadcast(row.x, 1u) * product;
    weight5 += quadBroadcast(row.y, 1u) * product;
    weight6 += quadBroadcast(row.z, 1u) * product;
    weight7 += quadBroadcast(row.w, 1u) * product;
    weight8 += quadBroadcast(row.x, 2u) * product;
    weight9 += quadBroadcast(row.y, 2u) * product;
    weight10 += quadBroadcast(row.z, 2u) * product;
    weight11 += quadBroadcast(row.w, 2u) * product;
    weight12 += quadBroadcast(row.x, 3u) * product;
    weight13 += quadBroadcast(row.y, 3u) * product;
    weight14 += quadBroadcast(row.z, 3u) * product;
    weight15 += quadBroadcast(row.w, 3u) * product;
  }
  putWeights(0u, lane, weight0);
  putWeights(1u, lane, weight1);
  putWeights(2u, lane, weight2);
  putWeights(3u, lane, weight3);
  putWeights(4u, lane, weight4);
  putWeights(5u, lane, weight5);
  putWeights(6u, lane, weight6);
  putWeights(7u, lane, weight7);
  putWeights(8u, lane, weight8);
  putWeights(9u, lane, weight9);
  putWeights(10u, lane, weight10);
  putWeights(11u, lane, weight11);
  putWeights(12u, lane, weight12);
  putWeights(13u, lane, weight13);
  putWeights(14u, lane, weight14);
  putWeights(15u, lane, weight15);
  workgroupBarrier();

  for (var chunk = begin; chunk < length; chunk += 4u) {
    let k = chunk + lane;
    // Beyond the end a lane reads the last group again and does not write.
    let at = min(k, length - 1u);
    let v0 = reflectors[reflector0 + 0u * length + at];
    let v1 = reflectors[reflector0 + 1u * length + at];
    let v2 = reflectors[reflector0 + 2u * length + at];
    let v3 = reflectors[reflector0 + 3u * length + at];
    let v4 = reflectors[reflector0 + 4u * length + at];
    let v5 = reflectors[reflector0 + 5u * length + at];
    let v6 = reflectors[reflector0 + 6u * length + at];
    let v7 = reflectors[reflector0 + 7u * length + at];
    let v8 = reflectors[reflector0 + 8u * length + at];
    let v9 = reflectors[reflector0 + 9u * length + at];
    let v10 = reflectors[reflector0 + 10u * length + at];
    let v11 = reflectors[reflector0 + 11u * length + at];
    let v12 = reflectors[reflector0 + 12u * length + at];
    let v13 = reflectors[reflector0 + 13u * length + at];
    let v14 = reflectors[reflector0 + 14u * length + at];
    let v15 = reflectors[reflector0 + 15u * length + at];
    for (var c = 0u; c < 16u; c++) {
      let four = weights[4u * c + lane];
      let part =
        v0 * quadBroadcast(four.x, 0u) +
        v1 * quadBroadcast(four.y, 0u) +
        v2 * quadBroadcast(four.z, 0u) +
        v3 * quadBroadcast(four.w, 0u) +
        v4 * quadBroadcast(four.x, 1u) +
        v5 * quadBroadcast(four.y, 1u) +
        v6 * quadBroadcast(four.z, 1u) +
        v7 * quadBroadcast(four.w, 1u) +
        v8 * quadBroadcast(four.x, 2u) +
        v9 * quadBroadcast(four.y, 2u) +
        v10 * quadBroadcast(four.z, 2u) +
        v11 * quadBroadcast(four.w, 2u) +
        v12 * quadBroadcast(four.x, 3u) +
        v13 * quadBroadcast(four.y, 3u) +
        v14 * quadBroadcast(four.z, 3u) +
        v15 * quadBroadcast(four.w, 3u);
      if (k < length) {
        columns[target0 + c * length + k] -= part;
      }
    }
  }
}
