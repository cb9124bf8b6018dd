import { libraryWords, remedyWords, wording } from './error-words.ts';
import type { Remedy, Words, Wording } from './error-words.ts';
import { messageLine } from './message.ts';

/**
 * What an error is about: a file, a tensor, a key of a configuration, an option of the caller's, an activation, a device, a model
 * on the hub; a matrix that is measured, such as a layer's state, by the name that the message gives it; a sequence of a profile.
 */
export interface ErrorSubject {
  readonly kind:
    'file' | 'tensor' | 'key' | 'option' | 'activation' | 'device' | 'model' | 'matrix' | 'sequence';
  readonly name: string;
}

/** What an error tells a program; all of it may be left out. */
export interface ErrorDetails extends ErrorOptions {
  /** Stable: `tensor-not-found`. Without one it is the class's. */
  readonly code?: string;
  readonly subject?: ErrorSubject;
  /** What fixes it: one of these. They end the message. */
  readonly remedies?: readonly Remedy[];
}

/**
 * The errors that Laminar throws on purpose. Each message is one line that says what is wrong, where
 * (file, tensor, option), and how to fix it; anything else that is thrown is a defect of ours.
 *
 * `message` speaks to users of the library. A face that has flags or fields in place of options writes its own message.
 */
export class LaminarError extends Error {
  /** What went wrong, for programs; it stays the same when the message changes. */
  readonly code: string;
  readonly subject: ErrorSubject | undefined;
  readonly remedies: readonly Remedy[];
  readonly #problem: string | Wording;

  /** @param problem what is wrong; and what to do, if that is the same for every face */
  constructor(problem: string | Wording, { code, subject, remedies = [], ...options }: ErrorDetails = {}) {
    super(worded(problem, remedies, libraryWords), options);
    this.code = code ?? new.target.code;
    this.subject = subject;
    this.remedies = remedies;
    this.#problem = problem;
  }

  /** The code of errors that have none of their own. */
  protected static readonly code: string = 'failed';

  override get name(): string {
    return this.constructor.name;
  }

  /** The message, with a face's own names for options. */
  inWords(words: Words): string {
    return worded(this.#problem, this.remedies, words);
  }
}

function worded(problem: string | Wording, remedies: readonly Remedy[], words: Words): string {
  const text = typeof problem === 'string' ? problem : problem.inWords(words);
  return messageLine(remedies.length === 0 ? text : `${text}; ${remedyWords(remedies, words)}`);
}

/** The caller asked for something that cannot be meant: a wrong option, too many tokens, an empty text. */
export class InputError extends LaminarError {
  protected static override readonly code: string = 'bad-input';
}

/** A file cannot be read or is not what it says it is. */
export class FileError extends LaminarError {
  protected static override readonly code: string = 'file-unreadable';

  /**
   * The error of a file or folder: it is named first, and is the subject.
   * @param name path, address, or what the user calls it
   * @param problem what is wrong with it, and what to do
   */
  static at<Kind extends FileError>(
    this: new (problem: string | Wording, details?: ErrorDetails) => Kind,
    name: string,
    problem: string | Wording,
    details: ErrorDetails = {},
  ): Kind {
    const named = wording`${name}: ${problem}`;
    return new this(named, { subject: { kind: 'file', name }, ...details });
  }
}

/** A safetensors or npy file breaks its format. */
export class FormatError extends FileError {
  protected static override readonly code: string = 'bad-format';
}

/** config.json names something that the engine does not know, or contradicts itself. */
export class ConfigError extends LaminarError {
  protected static override readonly code: string = 'bad-config';
}

/** A checkpoint lacks a tensor, or holds it with another shape or dtype than the architecture needs. */
export class CheckpointError extends LaminarError {
  protected static override readonly code: string = 'bad-checkpoint';
}

/** No usable adapter, a lost device, memory refused, or a command the GPU rejected. */
export class DeviceError extends LaminarError {
  protected static override readonly code: string = 'device-failed';
}

/** A number that must be finite is not, or an iteration did not converge. */
export class NumericalError extends LaminarError {
  protected static override readonly code: string = 'not-finite';
}
