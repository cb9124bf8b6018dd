import type { Argument, Command, Option } from 'commander';
import { bundledModels } from '../../analysis/bundled.ts';
import { publishedIds, publishedNames } from '../published-shapes.ts';

/** What may stand in a place of the command line. */
export interface Values {
  readonly words: readonly string[];
  /** Whether names of files or folders may stand there, too. */
  readonly paths: 'files' | 'folders' | null;
}

export interface DeclaredOption {
  /** `--help`, and `-h` if it has a letter. */
  readonly names: readonly string[];
  readonly description: string;
  /** What follows it; null for a flag, which nothing follows. */
  readonly values: Values | null;
}

export interface DeclaredCommand {
  readonly name: string;
  readonly description: string;
  readonly options: readonly DeclaredOption[];
  /** What its arguments may be; null if it takes none. */
  readonly values: Values | null;
}

/** A program as its shell completion needs it. */
export interface DeclaredProgram {
  readonly name: string;
  readonly options: readonly DeclaredOption[];
  readonly commands: readonly DeclaredCommand[];
}

/** Words of options whose values are lists, or more than their choices. */
const wordsOf = new WeakMap<Option, readonly string[]>();

/** Tells the shell's completion which values an option may have, if there are others besides its choices. */
export function withWords(option: Option, words: readonly string[]): Option {
  wordsOf.set(option, words);
  return option;
}

/** What the program's own declarations say: commands, options, choices, and what their placeholders stand for. */
export function declaredProgram(program: Command): DeclaredProgram {
  const help = program.createHelp();
  const options = (command: Command) => help.visibleOptions(command).map(declaredOption);
  return {
    name: program.name(),
    options: options(program),
    commands: help.visibleCommands(program).map((command): DeclaredCommand => {
      const [first] = command.registeredArguments;
      const isHelp = command.name() === 'help';
      return {
        name: command.name(),
        description: command.description(),
        options: isHelp ? [] : options(command),
        values: isHelp
          ? { words: program.commands.map((other) => other.name()), paths: null }
          : first
            ? valuesOf(first.name(), choicesOf(first))
            : null,
      };
    }),
  };
}

function declaredOption(option: Option): DeclaredOption {
  const [, placeholder] = /[<[]([\w-]+)/.exec(option.flags) ?? [];
  const words = wordsOf.get(option) ?? option.argChoices ?? [];
  return {
    names: [option.long, option.short].filter((name) => typeof name === 'string'),
    description: short(option.description),
    values: placeholder === undefined ? null : valuesOf(placeholder, words),
  };
}

/** A description without its default and its details: a menu has one line for it. */
function short(description: string): string {
  return description.replace(/( \(default|; ).*$/s, '');
}

function choicesOf(argument: Argument): readonly string[] {
  return argument.argChoices ?? [];
}

/** What a placeholder stands for, as the declarations use them. */
function valuesOf(placeholder: string, words: readonly string[]): Values {
  if (words.length > 0) return { words, paths: null };
  switch (placeholder) {
    case 'model':
      return {
        words: [...new Set([...bundledModels, ...publishedIds, ...publishedNames])],
        paths: 'folders',
      };
    case 'repo':
      return { words: publishedIds, paths: null };
    case 'folder':
      return { words: [], paths: 'folders' };
    case 'file':
    case 'files':
    case 'runs':
      return { words: [], paths: 'files' };
    default:
      return { words: [], paths: null };
  }
}
