const FILTERS: readonly GPUErrorFilter[] = ['internal', 'out-of-memory', 'validation'];

/**
 * Separates Laminar's errors from those of a program that lent its device. Error scopes surround Laminar's own calls only.
 * Errors of the program's calls stay with the program.
 */
export class OwnErrors {
  readonly #pending = new Set<Promise<void>>();

  /** @param onError called with each error of a call within `around`, a little after it */
  constructor(
    private readonly device: GPUDevice,
    private readonly onError: (error: GPUError) => void,
  ) {}

  /** Makes calls of the device. They must not wait, because other scopes must not come in between. */
  around<T>(call: () => T): T {
    for (const filter of FILTERS) this.device.pushErrorScope(filter);
    try {
      return call();
    } finally {
      FILTERS.forEach(() => {
        this.#hear(this.device.popErrorScope());
      });
    }
  }

  /** Waits until the device has said of every call so far whether it failed. */
  async settled(): Promise<void> {
    await Promise.all(this.#pending);
  }

  #hear(popped: Promise<GPUError | null>): void {
    const heard = popped
      .then((error) => {
        if (error) this.onError(error);
      })
      .catch(() => undefined) // the device is lost, which is told elsewhere
      .finally(() => this.#pending.delete(heard));
    this.#pending.add(heard);
  }
}
