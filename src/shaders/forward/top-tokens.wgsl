// Takes one tile of the vocabulary into each position's list of the tokens with the largest logits, so that the logits of
// the whole vocabulary never exist at once:
//
//   logits  F32 [rows, columns], the tile that starts at token `firstToken`; tiles come in the order of their tokens
//   values  F32 [rows, top]    tokens  I32 [rows, top]: descending, of equal logits the lowest token first
//
// One workgroup per row merges the list with the tile's largest logits. It looks for them one by one; most tiles need one
// look.

struct Shape {
  rows: u32,
  columns: u32,
  firstToken: u32,
  top: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read_write> values: array<f32>;
@group(0) @binding(3) var<storage, read_write> tokens: array<u32>;

override threads: u32 = 64u;
const MAX_TOP = 256u;
const LOWEST = -3.4028234663852886e38;
const NONE = 0xffffffffu;

// An element of the tile: its logit, and its column or NONE.
struct Candidate {
  value: f32,
  column: u32,
}

var<workgroup> partial: array<Candidate, threads>;
var<workgroup> candidate: Candidate;
var<workgroup> isTaken: u32;
var<workgroup> mergedValues: array<f32, MAX_TOP>;
var<workgroup> mergedTokens: array<u32, MAX_TOP>;

fn isBetter(a: Candidate, b: Candidate) -> bool {
  if (a.column == NONE || b.column == NONE) {
    return b.column == NONE && a.column != NONE;
  }
  return a.value > b.value || (a.value == b.value && a.column < b.column);
}

// The tile's best element after one that was taken before; every thread must call it.
fn findNext(row: u32, thread: u32, before: Candidate) {
  var best = Candidate(LOWEST, NONE);
  for (var column = thread; column < shape.columns; column += threads) {
    let here = Candidate(logits[row * shape.columns + column], column);
    let isLeft = before.column == NONE || isBetter(before, here);
    if (isLeft && isBetter(here, best)) {
      best = here;
    }
  }
  partial[thread] = best;
  workgroupBarrier();
  if (thread == 0u) {
    for (var i = 1u; i < threads; i++) {
      if (isBetter(partial[i], best)) {
        best = partial[i];
      }
    }
    candidate = best;
  }
  workgroupBarrier();
}

@compute @workgroup_size(threads)
fn main(@builtin(workgroup_id) workgroup: vec3<u32>, @builtin(local_invocation_index) thread: u32) {
  let row = workgroup.x;
  let list = row * shape.top;
  findNext(row, thread, Candidate(LOWEST, NONE));
  var kept = 0u;
  for (var place = 0u; place < shape.top; place++) {
    let next = candidate;
    workgroupBarrier();
    if (thread == 0u) {
      var value = LOWEST;
      var token = NONE;
      if (shape.firstToken > 0u) {
        value = values[list + kept];
        token = tokens[list + kept];
      }
      isTaken = u32(next.column != NONE && (token == NONE || next.value > value));
      if (isTaken == 1u) {
        value = next.value;
        token = shape.firstToken + next.column;
      } else {
        kept++;
      }
      mergedValues[place] = value;
      mergedTokens[place] = token;
    }
    if (workgroupUniformLoad(&isTaken) == 1u) {
      findNext(row, thread, next);
    }
  }
  workgroupBarrier();
  for (var place = thread; place < shape.top; place += threads) {
    values[list + place] = mergedValues[place];
    tokens[list + place] = mergedTokens[place];
  }
}
