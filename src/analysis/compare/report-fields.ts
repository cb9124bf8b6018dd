import { FormatError } from '../../engine/errors.ts';
import { isJsonObject } from '../../engine/files.ts';

/** What to do about a file that is not a report. */
export const reportAdvice = 'give a report.json that laminar profile wrote, or profile the model again';

/** The fields of an object of a report.json, each read with the type that it must have. An error names the field. */
export class ReportFields {
  readonly #fields: Readonly<Record<string, unknown>>;

  constructor(
    value: unknown,
    private readonly path: string,
    private readonly source: string,
  ) {
    if (!isJsonObject(value)) throw this.fault('', 'an object', value);
    this.#fields = value;
  }

  names(): string[] {
    return Object.keys(this.#fields);
  }

  has(name: string): boolean {
    return this.#fields[name] !== undefined;
  }

  value(name: string): unknown {
    return this.#fields[name];
  }

  object(name: string): ReportFields {
    return new ReportFields(this.value(name), this.#inner(name), this.source);
  }

  /** null if the report has none, or has null. */
  optional(name: string): ReportFields | null {
    return this.value(name) === undefined || this.value(name) === null ? null : this.object(name);
  }

  list(name: string): ReportFields[] {
    const value = this.value(name);
    if (!Array.isArray(value)) throw this.fault(name, 'a list', value);
    return value.map((item, index) => new ReportFields(item, `${this.#inner(name)}[${index}]`, this.source));
  }

  numbers(name: string): number[] {
    const value = this.value(name);
    if (!Array.isArray(value) || !value.every((item) => Number.isFinite(item)))
      throw this.fault(name, 'a list of numbers', value);
    return value as number[];
  }

  texts(name: string): string[] {
    const value = this.value(name);
    if (!Array.isArray(value) || !value.every((item) => typeof item === 'string'))
      throw this.fault(name, 'a list of texts', value);
    return value as string[];
  }

  number(name: string): number {
    const value = this.numberOrNull(name);
    if (value === null) throw this.fault(name, 'a number', this.value(name));
    return value;
  }

  /** null if there is none, too. */
  numberOrNull(name: string): number | null {
    const value = this.value(name) ?? null;
    if (value !== null && !Number.isFinite(value)) throw this.fault(name, 'a number', value);
    return value as number | null;
  }

  text(name: string): string {
    const value = this.textOrNull(name);
    if (value === null) throw this.fault(name, 'a text', this.value(name));
    return value;
  }

  /** null if there is none, too. */
  textOrNull(name: string): string | null {
    const value = this.value(name) ?? null;
    if (value !== null && typeof value !== 'string') throw this.fault(name, 'a text', value);
    return value;
  }

  fault(name: string, expected: string, found: unknown): FormatError {
    const where = this.#inner(name);
    const what =
      found === undefined ? 'is missing' : `is ${typeof found === 'string' ? found : shortJson(found)}`;
    const place = where === '' ? 'the whole' : where;
    return FormatError.at(
      this.source,
      `is not a report of a profile: ${place} ${what}, where ${expected} belongs; ${reportAdvice}`,
    );
  }

  #inner(name: string): string {
    return [this.path, name].filter(Boolean).join('.');
  }
}

function shortJson(value: unknown): string {
  if (typeof value === 'number') return String(value);
  const text = JSON.stringify(value);
  return text.length <= 40 ? text : `${text.slice(0, 40)}…`;
}
