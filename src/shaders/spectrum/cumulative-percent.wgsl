// The running share of variance of each matrix's descending singular values; zero throughout where there is no variance:
//
//   percent[k] = 100 (s₀² + … + s_k²) / (s₀² + s₁² + …)
//
//   singularValues  F32 [matrices, stride]
//   percent         F32 [matrices, stride]
//
// One workgroup per matrix, of 64 threads: each sums a run of values, then adds the sums of the runs after its own. Sums
// run from the smallest value up, and a percentage is 100 less what is still to come: beside one dominating value the
// small ones would otherwise be rounded away.

struct Shape {
  values: u32,
  stride: u32, // values held per matrix
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> singularValues: array<f32>;
@group(0) @binding(2) var<storage, read_write> percent: array<f32>;

var<workgroup> sums: array<f32, 64>;

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let base = group.x * shape.stride;
  let largest = singularValues[base];
  let factor = select(0.0, 1.0 / largest, largest > 0.0);
  let run = (shape.values + 63u) / 64u;
  let begin = min(thread * run, shape.values);
  let end = min(begin + run, shape.values);
  var sum = 0.0;
  for (var k = end; k > begin; k--) {
    let ratio = singularValues[base + k - 1u] * factor;
    sum += ratio * ratio;
  }
  sums[thread] = sum;
  workgroupBarrier();
  var remaining = 0.0; // what comes after this thread's run
  var total = 0.0;
  for (var other = 64u; other > 0u; other--) {
    if (other - 1u == thread) {
      remaining = total;
    }
    total += sums[other - 1u];
  }
  let toPercent = select(0.0, 100.0 / total, total > 0.0);
  let whole = select(0.0, 100.0, total > 0.0);
  for (var k = end; k > begin; k--) {
    percent[base + k - 1u] = whole - remaining * toPercent;
    let ratio = singularValues[base + k - 1u] * factor;
    remaining += ratio * ratio;
  }
}
