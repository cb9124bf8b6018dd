// Folds one tile of the vocabulary into each position's running sums and argmax, so that the logits of the whole
// vocabulary never exist at once (online softmax: Milakov and Gimelshein 2018).
//
//   logits   F32 [rows, columns], the tile that starts at token `firstToken`
//   maximum  F32 [rows, 3]    sum  F32 [rows, 3]: of the whole groups, of the group that has begun, of the run that has
//            begun; in the end all of them together are Σ exp(logit − maximum)
//   argmax   I32 [rows]: the lowest token that reaches the maximum
//
// In the end the largest log-softmax is max − logsumexp = −ln(sum). One workgroup per row. A run is 64 tokens, one thread's;
// a group is 64 runs. Both are counted from token 0, so that the same numbers are added in the same order wherever tiles
// begin and end, and however many threads there are.

struct Shape {
  rows: u32,
  columns: u32,
  firstToken: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> maximum: array<f32>;
@group(0) @binding(3) var<storage, read_write> sum: array<f32>;
@group(0) @binding(4) var<storage, read_write> argmax: array<u32>;

override threads: u32 = 128u;
const RUN = 64u;
const GROUP = 64u;
// Runs between two barriers.
const SLOTS = 128u;
const INFINITY_BITS = 0x7f800000u;

var<workgroup> maximumOf: array<f32, SLOTS>;
var<workgroup> sumOf: array<f32, SLOTS>;
var<workgroup> tokenOf: array<u32, SLOTS>;

fn kept(index: u32, isFirst: bool) -> RunningSum {
  return RunningSum(select(maximum[index], LOWEST, isFirst), select(sum[index], 0.0, isFirst));
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = workgroup.x;
  let start = shape.firstToken;
  let end = start + shape.columns;
  let first = row * shape.columns;
  let isFirst = start == 0u;
  let firstRun = start / RUN;
  let endRun = (end + RUN - 1u) / RUN;

  var whole = kept(3u * row, isFirst);
  var group = kept(3u * row + 1u, isFirst);
  let begun = kept(3u * row + 2u, isFirst);
  var best = max(max(whole.maximum, group.maximum), begun.maximum);
  var bestToken = select(argmax[row], 0u, isFirst);

  for (var slots = firstRun; slots < endRun; slots += SLOTS) {
    for (var run = slots + thread; run < min(slots + SLOTS, endRun); run += threads) {
      // The first run may have begun in the tile before.
      let isGoingOn = run == firstRun && start % RUN != 0u;
      var largest = select(LOWEST, begun.maximum, isGoingOn);
      var total = select(0.0, begun.sum, isGoingOn);
      var token = 0u;
      var bits = 0u;
      for (var i = max(run * RUN, start); i < min((run + 1u) * RUN, end); i += 1u) {
        let logit = logits[first + i - start];
        bits = max(bits, bitcast<u32>(logit) & 0x7fffffffu);
        let factor = apart(logit, largest);
        // The very first is the largest so far, even if it is the lowest possible number.
        let isHigher = logit > largest || total == 0.0;
        total = select(total + factor, total * factor + 1.0, isHigher);
        token = select(token, i, isHigher);
        largest = select(largest, logit, isHigher);
      }
      maximumOf[run - slots] = largest;
      // Comparisons with NaN say nothing: the bits of the NaN replace the sum.
      sumOf[run - slots] = select(total, bitcast<f32>(bits), bits >= INFINITY_BITS);
      tokenOf[run - slots] = token;
    }
    workgroupBarrier();
    if (thread == 0u) {
      for (var run = slots; run < min(slots + SLOTS, endRun); run += 1u) {
        let slot = run - slots;
        let one = RunningSum(maximumOf[slot], sumOf[slot]);
        if (one.maximum > best || (run == 0u && isFirst)) {
          best = one.maximum;
          bestToken = tokenOf[slot];
        }
        let isWhole = (run + 1u) * RUN <= end;
        if (!isWhole) {
          maximum[3u * row + 2u] = one.maximum;
          sum[3u * row + 2u] = one.sum;
        } else {
          group = joined(group, one);
          if (run % GROUP == GROUP - 1u) {
            whole = joined(whole, group);
            group = emptySum();
          }
        }
      }
    }
    workgroupBarrier();
  }

  if (thread == 0u) {
    maximum[3u * row] = whole.maximum;
    sum[3u * row] = whole.sum;
    maximum[3u * row + 1u] = group.maximum;
    sum[3u * row + 1u] = group.sum;
    if (end % RUN == 0u) {
      maximum[3u * row + 2u] = LOWEST;
      sum[3u * row + 2u] = 0.0;
    }
    argmax[row] = bestToken;
  }
}
