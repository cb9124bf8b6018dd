import type { BranchedState, StatePoint } from './branches.ts';
import { ForwardPass } from './forward-pass.ts';
import type { Gpu } from './gpu/gpu.ts';
import { Tensor } from './gpu/tensor.ts';

/** A batch to which copies of its sequences are added on the way. */
export class GrowingBatch implements Disposable {
  pass: ForwardPass;
  /** Where the states lie, F32 [slots · T, width]: the residual stream, or what followed it. */
  state: Tensor;
  readonly #tokens: number;

  constructor(
    private readonly gpu: Gpu,
    private readonly sequences: readonly Int32Array[],
    private readonly width: number,
    private readonly signal: AbortSignal | undefined,
  ) {
    this.#tokens = sequences[0]!.length;
    this.pass = new ForwardPass(gpu, sequences.length, this.#tokens, width, signal);
    this.state = this.pass.residual;
  }

  get #stateBytes(): number {
    return 4 * this.#tokens * this.width;
  }

  begin(states: readonly Float32Array[]): void {
    for (const [slot, values] of states.entries()) {
      this.gpu.write(this.state.buffer, slot * this.#stateBytes, values);
    }
  }

  /** Adds a copy of each of these sequences. Everything except the states is freed. */
  grow(copied: readonly number[]): void {
    if (copied.length === 0) return;
    const slots = this.pass.sequences + copied.length;
    this.pass.submit();
    const grown = new ForwardPass(this.gpu, slots, this.#tokens, this.width, this.signal);
    const bytes = this.#stateBytes;
    const held = this.pass.sequences * bytes;
    grown.recorder.copy(this.state.buffer, 0, grown.residual.buffer, 0, held);
    for (const [index, sequence] of copied.entries()) {
      grown.recorder.copy(
        this.state.buffer,
        sequence * bytes,
        grown.residual.buffer,
        held + index * bytes,
        bytes,
      );
    }
    grown.submit();
    this.pass.dispose();
    this.pass = grown;
    this.state = grown.residual;
  }

  at(point: StatePoint, begun: number): BranchedState {
    const { pass, state } = this;
    const bytes = this.#stateBytes;
    const copy = (record: (slot: number, buffer: GPUBuffer) => Parameters<typeof pass.recorder.copy>) => {
      return (slot: number, buffer: GPUBuffer) => {
        pass.recorder.copy(...record(slot, buffer));
        pass.submit();
      };
    };
    return {
      point,
      sequences: this.sequences.length,
      begun,
      rows: (slot) => pass.sequenceRows(state, slot, 1),
      read: copy((slot, buffer) => [state.buffer, slot * bytes, buffer, 0, bytes]),
      write: copy((slot, buffer) => [buffer, 0, state.buffer, slot * bytes, bytes]),
    };
  }

  /** Copies of some states, one after another, as a tensor that the caller owns. */
  gather(slots: readonly number[]): Tensor {
    const rows = slots.length * this.#tokens;
    const buffer = this.gpu.allocate('final states', 4 * rows * this.width);
    for (const [index, slot] of slots.entries()) {
      const bytes = this.#stateBytes;
      this.pass.recorder.copy(this.state.buffer, slot * bytes, buffer, index * bytes, bytes);
    }
    this.pass.submit();
    const shape = [rows, this.width];
    return new Tensor(this.gpu, 'final states', shape, 'F32', [{ buffer, firstRow: 0, rows }]);
  }

  [Symbol.dispose](): void {
    this.pass.dispose();
  }
}
