// Keeps the k smallest squared distances of every point, in ascending order, while runs of candidates pass by.
//
//   distances  F32 [candidates from `first` on, points], from squared-distances.wgsl
//   nearest    F32 [ranks, points]: what earlier runs left, begun again where `first` is 0; a rank that no candidate has
//              filled yet holds the largest float32
//
// One thread per point, an insertion into its sorted list for each candidate that is nearer than the last; the grid is
// (points / 64). Neighbouring threads read and write neighbouring places. A point does not count as its own neighbour.

struct Shape {
  points: u32,
  first: u32, // the first candidate
  candidates: u32,
  ranks: u32,
}

@group(0) @binding(0) var<uniform> shape: Shape;
@group(0) @binding(1) var<storage, read> distances: array<f32>;
@group(0) @binding(2) var<storage, read_write> nearest: array<f32>;

const LARGEST = 0x1.fffffep+127f;

@compute @workgroup_size(64)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
  let point = id.x;
  let points = shape.points;
  if (point >= points) {
    return;
  }
  if (shape.first == 0u) {
    for (var rank = 0u; rank < shape.ranks; rank++) {
      nearest[rank * points + point] = LARGEST;
    }
  }
  let last = (shape.ranks - 1u) * points + point;
  var farthest = nearest[last];
  for (var candidate = 0u; candidate < shape.candidates; candidate++) {
    let distance = distances[candidate * points + point];
    if (distance < farthest && shape.first + candidate != point) {
      var place = last;
      while (place >= points) {
        let above = nearest[place - points];
        if (above <= distance) {
          break;
        }
        nearest[place] = above;
        place -= points;
      }
      nearest[place] = distance;
      farthest = nearest[last];
    }
  }
}
