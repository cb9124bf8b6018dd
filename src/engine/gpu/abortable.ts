/** Waits for the GPU, or for the signal. @throws the signal's reason, or what the work was rejected with */
export async function unlessAborted(signal: AbortSignal | undefined, work: Promise<unknown>): Promise<void> {
  if (!signal) {
    await work;
    return;
  }
  await new Promise<void>((resolve, reject) => {
    const abort = (): void => {
      reject(signal.reason as Error);
    };
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const end = (settle: () => void): void => {
      signal.removeEventListener('abort', abort);
      settle();
    };
    work.then(
      () => {
        end(resolve);
      },
      (error: unknown) => {
        end(() => {
          reject(error as Error);
        });
      },
    );
  });
}
