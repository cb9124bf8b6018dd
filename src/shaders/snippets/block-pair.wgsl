// Which two blocks of vectors a workgroup takes in a round of Jacobi. Over blocks - 1 rounds every block meets every other
// (round-robin order): block blocks - 1 stays where it is, the others move on by one place per round.
//
// The kernel's uniforms are `blocks`, an even number, and `round`.

struct BlockPair {
  first: u32,
  other: u32,
}

// Pair number `pair` of blocks of a matrix, the first of them first.
fn blockPair(pair: u32) -> BlockPair {
  let cycle = shape.blocks - 1u;
  let one = select((shape.round + pair) % cycle, cycle, pair == 0u);
  let two = (shape.round + cycle - pair) % cycle;
  return BlockPair(min(one, two), max(one, two));
}
