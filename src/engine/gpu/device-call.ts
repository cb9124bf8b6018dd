import { DeviceError, LaminarError } from '../errors.ts';

/**
 * Calls a device. What it throws, as a driver that has no memory left or a device of another program may, becomes one of
 * our errors.
 * @param attempt in words: "make a buffer"
 * @throws DeviceError
 */
export function callDevice<T>(attempt: string, call: () => T): T {
  try {
    return call();
  } catch (cause) {
    throw deviceFault(attempt, cause);
  }
}

/** The DeviceError for what a device threw or rejected with; errors that are ours come back as they are. */
export function deviceFault(attempt: string, cause: unknown): Error {
  if (cause instanceof LaminarError) return cause;
  const reason = (cause instanceof Error ? cause.message : String(cause)).split('\n')[0];
  return new DeviceError(`the GPU could not ${attempt} (${reason}); close other programs, and run again`, {
    cause,
  });
}

/** The DeviceError for what a device reported of an earlier call. */
export function reportedFault(error: GPUError): DeviceError {
  if (!(error instanceof GPUOutOfMemoryError)) {
    return new DeviceError(`the GPU rejected a command: ${error.message}`, { code: 'command-rejected' });
  }
  return new DeviceError(`the GPU refused memory (${error.message.split('\n')[0] ?? ''})`, {
    code: 'out-of-memory',
    remedies: [
      { kind: 'do', what: 'close other programs' },
      { kind: 'lower', option: 'memoryLimit' },
    ],
  });
}
