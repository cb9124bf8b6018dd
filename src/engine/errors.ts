/**
 * The errors that Laminar throws on purpose. Each message is one line that says what is wrong, where
 * (file, tensor, flag), and how to fix it; anything else that is thrown is a defect of ours.
 */
export class LaminarError extends Error {
  override get name(): string {
    return this.constructor.name;
  }
}

/** The caller asked for something that cannot be meant: a wrong flag, too many tokens, an empty text. */
export class InputError extends LaminarError {}

/** A file cannot be read or is not what it says it is. */
export class FileError extends LaminarError {}

/** A safetensors or npy file breaks its format. */
export class FormatError extends FileError {}

/** config.json names something that the engine does not know, or contradicts itself. */
export class ConfigError extends LaminarError {}

/** A checkpoint lacks a tensor, or holds it with another shape or dtype than the architecture needs. */
export class CheckpointError extends LaminarError {}

/** No usable adapter, a lost device, memory refused, or a command the GPU rejected. */
export class DeviceError extends LaminarError {}

/** A number that must be finite is not, or an iteration did not converge. */
export class NumericalError extends LaminarError {}
