/** The part of npm's `safetensors` that the tests use; the package comes without types. */
declare module 'safetensors' {
  export class SafeTensor {
    constructor(buffer: Uint8Array);
    readonly metadata: Map<string, { dtype: string; shape: number[]; data_offsets: [number, number] }>;
    getTensor(name: string): Uint8Array;
  }
}
