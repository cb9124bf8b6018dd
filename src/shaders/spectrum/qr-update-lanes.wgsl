// Applies a panel's reflectors to the columns after it, as qr-update.wgsl, with the same operands, where a CPU plays the GPU
// with subgroups of four lanes, or of eight: A ← A − V T′ (V′ A).
//
// One workgroup, of `lanes` threads, a subgroup, takes 16 columns of one matrix. For V′A each of four lanes has four columns,
// and they hand the reflectors round; for the update a lane has a group of four rows. The grid is (groups of 16 columns after the
// panel, matrices). Includes snippets/products-of-four.wgsl.

enable subgroups;
// All lanes take every branch together.
diagnostic(off, subgroup_uniformity);

struct Shape {
  padded: u32, // columns held per matrix
  length4: u32,
  first: u32, // the panel's first column
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read_write> columns: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> reflectors: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> triangle: array<f32>;

var<workgroup> products: array<vec4<f32>, 64>; // [reflector, lane]: V'A
var<workgroup> weights: array<vec4<f32>, 64>; // [column, four reflectors]: T' V'A

// 4, or 8 where subgroups have as many: then each four of them have half of the reflectors.
override lanes: u32 = 4u;

@compute @workgroup_size(lanes)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let matrix = group.y;
  let lane = thread % 4u;
  let length = shape.length4;
  let begin = shape.first / 4u;
  let target0 = (matrix * shape.padded + shape.first + 16u + 16u * group.x) * length;
  let reflector0 = matrix * 16u * length;

  let own = target0 + 4u * lane * length;
  // Eight reflectors at a time: every access of memory is expensive to compile.
  for (var half = thread / 4u * 32u; half < 64u; half += 8u * lanes) {
    let other = reflector0 + half / 4u * length;
    var sum0 = vec4<f32>();
    var sum1 = vec4<f32>();
    var sum2 = vec4<f32>();
    var sum3 = vec4<f32>();
    var sum4 = vec4<f32>();
    var sum5 = vec4<f32>();
    var sum6 = vec4<f32>();
    var sum7 = vec4<f32>();
    for (var k = begin; k < length; k++) {
      let own0 = columns[own + k];
      let own1 = columns[own + length + k];
      let own2 = columns[own + 2u * length + k];
      let own3 = columns[own + 3u * length + k];
      let b0 = vec4<f32>(own0.x, own1.x, own2.x, own3.x);
      let b1 = vec4<f32>(own0.y, own1.y, own2.y, own3.y);
      let b2 = vec4<f32>(own0.z, own1.z, own2.z, own3.z);
      let b3 = vec4<f32>(own0.w, own1.w, own2.w, own3.w);
      sum0 += products4(reflectors[other + 0u * length + k][lane], b0, b1, b2, b3);
      sum1 += products4(reflectors[other + 1u * length + k][lane], b0, b1, b2, b3);
      sum2 += products4(reflectors[other + 2u * length + k][lane], b0, b1, b2, b3);
      sum3 += products4(reflectors[other + 3u * length + k][lane], b0, b1, b2, b3);
      sum4 += products4(reflectors[other + 4u * length + k][lane], b0, b1, b2, b3);
      sum5 += products4(reflectors[other + 5u * length + k][lane], b0, b1, b2, b3);
      sum6 += products4(reflectors[other + 6u * length + k][lane], b0, b1, b2, b3);
      sum7 += products4(reflectors[other + 7u * length + k][lane], b0, b1, b2, b3);
    }
    products[half + 0u + lane] = sum0;
    products[half + 4u + lane] = sum1;
    products[half + 8u + lane] = sum2;
    products[half + 12u + lane] = sum3;
    products[half + 16u + lane] = sum4;
    products[half + 20u + lane] = sum5;
    products[half + 24u + lane] = sum6;
    products[half + 28u + lane] = sum7;
  }
  // Of each reflector what is taken of it from this lane's columns. T is zero below its diagonal.
  workgroupBarrier();
  let firstWeight = thread / 4u * (64u / lanes);
  for (var l = firstWeight; l < firstWeight + 64u / lanes; l++) {
    var weight = vec4<f32>();
    for (var j = 0u; j <= l; j++) {
      weight += triangle[256u * matrix + 16u * j + l] * products[4u * j + lane];
    }
    for (var c = 0u; c < 4u; c++) {
      weights[16u * lane + 4u * c + l / 4u][l % 4u] = weight[c];
    }
  }
  workgroupBarrier();

  for (var chunk = begin; chunk < length; chunk += lanes) {
    let k = chunk + thread;
    // Beyond the end a lane reads the last group again and does not write.
    let at = min(k, length - 1u);
    var held: array<vec4<f32>, 16>;
    for (var l = 0u; l < 16u; l++) {
      held[l] = reflectors[reflector0 + l * length + at];
    }
    let v0 = held[0];
    let v1 = held[1];
    let v2 = held[2];
    let v3 = held[3];
    let v4 = held[4];
    let v5 = held[5];
    let v6 = held[6];
    let v7 = held[7];
    let v8 = held[8];
    let v9 = held[9];
    let v10 = held[10];
    let v11 = held[11];
    let v12 = held[12];
    let v13 = held[13];
    let v14 = held[14];
    let v15 = held[15];

    for (var c = 0u; c < 16u; c++) {
      let four = weights[4u * c + lane];
      let part =
        v0 * subgroupBroadcast(four.x, 0u) +
        v1 * subgroupBroadcast(four.y, 0u) +
        v2 * subgroupBroadcast(four.z, 0u) +
        v3 * subgroupBroadcast(four.w, 0u) +
        v4 * subgroupBroadcast(four.x, 1u) +
        v5 * subgroupBroadcast(four.y, 1u) +
        v6 * subgroupBroadcast(four.z, 1u) +
        v7 * subgroupBroadcast(four.w, 1u) +
        v8 * subgroupBroadcast(four.x, 2u) +
        v9 * subgroupBroadcast(four.y, 2u) +
        v10 * subgroupBroadcast(four.z, 2u) +
        v11 * subgroupBroadcast(four.w, 2u) +
        v12 * subgroupBroadcast(four.x, 3u) +
        v13 * subgroupBroadcast(four.y, 3u) +
        v14 * subgroupBroadcast(four.z, 3u) +
        v15 * subgroupBroadcast(four.w, 3u);
      if (k < length) {
        columns[target0 + c * length + k] -= part;
      }
    }
  }
}
