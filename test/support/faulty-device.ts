/** A call of a device that can be made to fail. */
export type DeviceCall =
  | 'createBuffer'
  | 'createBindGroup'
  | 'createCommandEncoder'
  | 'createComputePipeline'
  | 'createComputePipelineAsync'
  | 'createShaderModule'
  | 'submit'
  | 'writeBuffer'
  | 'onSubmittedWorkDone'
  | 'mapAsync';

/**
 * How a call fails: at once, by a promise, or by an event that comes a little later. A device that hangs settles no wait from
 * that call on.
 */
export type Fault = 'throws' | 'rejects' | 'out of memory' | 'internal error' | 'lost' | 'hangs';

type Listener = (event: Event) => void;

/**
 * A device whose calls are counted and of which the n-th of a kind can be made to fail, as drivers fail that cannot be had
 * here. What it makes are the real device's objects.
 */
export class FaultyDevice {
  readonly calls = new Map<DeviceCall, number>();
  /** Buffers that were made and not destroyed. */
  readonly buffers = new Set<GPUBuffer>();
  readonly device: GPUDevice;
  readonly #listeners = new Set<Listener>();
  #fault: { readonly call: DeviceCall; readonly at: number; readonly kind: Fault } | undefined;
  /** Whether it settles no wait any more. */
  hangs = false;
  #lose: (info: GPUDeviceLostInfo) => void = () => undefined;
  #lost: Promise<GPUDeviceLostInfo>;
  readonly #scopes: { readonly filter: GPUErrorFilter; error?: GPUError }[] = [];

  constructor(private readonly real: GPUDevice) {
    this.#lost = this.#losable();
    const queue = bound(real.queue, (name, call) =>
      name === 'submit' || name === 'writeBuffer' || name === 'onSubmittedWorkDone'
        ? (...given: unknown[]) => this.#call(name, () => call(...given))
        : call,
    );
    this.device = bound(
      real,
      (name, call) => {
        if (name === 'createBuffer') return (...given: unknown[]) => this.#buffer(call, given);
        if (name.startsWith('create'))
          return (...given: unknown[]) => this.#call(name as DeviceCall, () => call(...given));
        if (name === 'pushErrorScope')
          return (...given) => {
            this.#scopes.push({ filter: given[0] as GPUErrorFilter });
            return call(...given);
          };
        if (name === 'popErrorScope')
          return async (...given) => {
            const scope = this.#scopes.pop();
            return (await call(...given)) ?? scope?.error ?? null;
          };
        if (name === 'addEventListener')
          return (_, listener) => void this.#listeners.add(listener as Listener);
        if (name === 'removeEventListener')
          return (_, listener) => void this.#listeners.delete(listener as Listener);
        return call;
      },
      { queue: () => queue, lost: () => this.#lost },
    );
    real.addEventListener('uncapturederror', (event) => {
      this.#tell(event);
    });
  }

  /** Starts counting anew, and fails the call of that number, from 1 on; no call if none is given. */
  arm(call?: DeviceCall, at = 1, kind: Fault = 'throws'): void {
    this.calls.clear();
    this.hangs = false;
    this.#lost = this.#losable();
    this.#fault = call === undefined ? undefined : { call, at, kind };
  }

  /** An error of the program that lends the device, told as the device tells errors. */
  tell(error: GPUError): void {
    this.#tell({ error } as unknown as Event);
  }

  #losable(): Promise<GPUDeviceLostInfo> {
    const injected = new Promise<GPUDeviceLostInfo>((resolve) => (this.#lose = resolve));
    return Promise.race([this.real.lost, injected]);
  }

  #tell(event: Event): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  #call(name: DeviceCall, make: () => unknown): unknown {
    const count = (this.calls.get(name) ?? 0) + 1;
    this.calls.set(name, count);
    const { call, at, kind } = this.#fault ?? {};
    if (call === name && at === count && kind === 'hangs') this.hangs = true;
    if (this.hangs && (name === 'onSubmittedWorkDone' || name === 'mapAsync'))
      return new Promise(() => undefined);
    if (call !== name || at !== count) return make();
    const failure = new Error(`injected into ${name} number ${count}`);
    if (kind === 'throws') throw failure;
    if (kind === 'rejects') return Promise.reject(failure);
    if (kind === 'lost') this.#lose({ reason: 'unknown', message: failure.message } as GPUDeviceLostInfo);
    else {
      const isMemory = kind === 'out of memory';
      const error = isMemory
        ? new GPUOutOfMemoryError(failure.message)
        : new GPUInternalError(failure.message);
      const filter = isMemory ? 'out-of-memory' : 'internal';
      const scope = this.#scopes.findLast((open) => open.filter === filter);
      if (scope) scope.error ??= error;
      else this.tell(error);
    }
    return make();
  }

  #buffer(create: (...given: unknown[]) => unknown, given: unknown[]): unknown {
    return this.#call('createBuffer', () => {
      const buffer = create(...given) as GPUBuffer;
      this.buffers.add(buffer);
      const { destroy, mapAsync } = buffer;
      buffer.destroy = () => {
        this.buffers.delete(buffer);
        destroy.call(buffer);
      };
      buffer.mapAsync = (...how) =>
        this.#call('mapAsync', () => mapAsync.apply(buffer, how)) as Promise<undefined>;
      return buffer;
    });
  }
}

type Call = (...given: unknown[]) => unknown;

/** An object whose methods are another's, some of them replaced. */
function bound<T extends object>(
  target: T,
  replace: (name: string, call: Call) => Call,
  getters: Readonly<Record<string, () => unknown>> = {},
): T {
  return new Proxy(target, {
    get: (_, name) => {
      const getter = typeof name === 'string' ? getters[name] : undefined;
      if (getter) return getter();
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function' || typeof name !== 'string') return value;
      return replace(name, (value as Call).bind(target));
    },
  });
}
