import type { DeclaredCommand, DeclaredOption, DeclaredProgram, Values } from './declarations.ts';

/** The shells that a script is written for, and how each is told of it. */
export const shells = {
  bash: { write: bashScript, use: 'source <(laminar completion bash)' },
  zsh: { write: zshScript, use: 'source <(laminar completion zsh)' },
  fish: { write: fishScript, use: 'laminar completion fish | source' },
} as const;
export type Shell = keyof typeof shells;

const header = (shell: string, { name }: DeclaredProgram) =>
  `# ${shell} completion of ${name}, written by \`${name} completion ${shell}\`\n`;

/** A word for any POSIX shell and for fish. */
const quoted = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;

/** A command's own options and, behind them, those of the program that it does not have. */
function ofCommand(command: DeclaredCommand, { options }: DeclaredProgram): DeclaredOption[] {
  const own = new Set(command.options.flatMap(({ names }) => names));
  return [...command.options, ...options.filter(({ names }) => !names.some((name) => own.has(name)))];
}

function bashScript(program: DeclaredProgram): string {
  const { name, commands, options } = program;
  const words = (list: readonly string[]) => quoted(list.join(' '));
  const offer = ({ words: own, paths }: Values) =>
    [
      `COMPREPLY=($(compgen -W ${words(own)} -- "$item"))`,
      ...(paths === null ? [] : [`_${name}_paths ${paths === 'folders' ? '-d' : '-f'}`]),
    ].join('; ');
  const values = (command: string, declared: readonly DeclaredOption[]) =>
    declared.flatMap((option) =>
      option.values
        ? [
            `    ${option.names.map((own) => quoted(`${command} ${own}`)).join(' | ')}) ${offer(option.values)}; return ;;`,
          ]
        : [],
    );
  const optionNames = (list: readonly DeclaredOption[]) => list.flatMap((option) => option.names);
  return `${header('bash', program)}_${name}_paths() {
  compopt -o filenames 2> /dev/null
  local path
  while IFS= read -r path; do COMPREPLY+=("$path"); done < <(compgen "$1" -- "$item")
}

_${name}() {
  local item=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD - 1]} command= word
  COMPREPLY=()
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case $word in
      ${commands.map((command) => command.name).join(' | ')}) command=$word; break ;;
    esac
  done
  # bash takes --option=value for three words.
  if [[ $item == '=' ]]; then item=; elif [[ $before == '=' ]]; then before=\${COMP_WORDS[COMP_CWORD - 2]}; fi
  case "$command $before" in
${[...values('', options), ...commands.flatMap((command) => values(command.name, ofCommand(command, program)))].join('\n')}
  esac
  if [[ $item == -* || $command == '' ]]; then
    case $command in
${commands.map((command) => `      ${command.name}) COMPREPLY=($(compgen -W ${words(optionNames(ofCommand(command, program)))} -- "$item")) ;;`).join('\n')}
      *) COMPREPLY=($(compgen -W ${words([...commands.map((command) => command.name), ...optionNames(options)])} -- "$item")) ;;
    esac
    return
  fi
  case $command in
${commands.flatMap((command) => (command.values ? [`    ${command.name}) ${offer(command.values)} ;;`] : [])).join('\n')}
  esac
}
complete -F _${name} ${name}
`;
}

function zshScript(program: DeclaredProgram): string {
  const { name, commands, options } = program;
  // A description ends at ], and a colon separates the parts of a specification.
  const plain = (text: string) => text.replaceAll(/[[\]\\]/g, '\\$&').replaceAll(':', '\\:');
  const action = ({ words, paths }: Values) => {
    const own = words.length > 0 ? `(${words.map((word) => word.replaceAll(':', '\\:')).join(' ')})` : '';
    const files = paths === null ? '' : paths === 'folders' ? '_files -/' : '_files';
    if (own !== '' && files !== '') return `_alternative "words:word:${own}" "paths:path:${files}"`;
    return own || files || ' ';
  };
  const specs = (list: readonly DeclaredOption[]) =>
    list.flatMap(({ names, description, values }) =>
      names.map((own) =>
        quoted(`${own}[${plain(description)}]${values ? `:value:${escapedAction(action(values))}` : ''}`),
      ),
    );
  const escapedAction = (text: string) => (text.startsWith('_alternative') ? `{${text}}` : text);
  const called = (command: DeclaredCommand) => {
    const rest = command.values ? [quoted(`*:${command.name}:${escapedAction(action(command.values))}`)] : [];
    return [...specs(ofCommand(command, program)), ...rest].map((spec) => `        ${spec}`).join(' \\\n');
  };
  return `#compdef ${name}
${header('zsh', program)}_${name}() {
  local -a commands
  local context state state_descr line
  typeset -A opt_args
  commands=(
${commands.map((command) => `    ${quoted(`${command.name}:${command.description}`)}`).join('\n')}
  )
  _arguments -C \\
${specs(options)
  .map((spec) => `    ${spec} \\`)
  .join('\n')}
    '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $line[1] in
${commands.map((command) => `        ${command.name}) _arguments \\\n${called(command)} ;;`).join('\n')}
      esac ;;
  esac
}
if [[ $funcstack[1] == _${name} ]]; then _${name} "$@"; else compdef _${name} ${name}; fi
`;
}

function fishScript(program: DeclaredProgram): string {
  const { name, commands, options } = program;
  const names = commands.map((command) => command.name).join(' ');
  const values = (own: Values | null) => {
    if (own === null) return '';
    const words = own.words.length > 0 ? ` -a ${quoted(own.words.join(' '))}` : '';
    if (own.paths === 'folders')
      return ` -x -a ${quoted(`${own.words.join(' ')} (__fish_complete_directories)`.trim())}`;
    return own.paths === 'files' ? ` -r -F${words}` : ` -x${words}`;
  };
  const line = (condition: string, rest: string) =>
    `complete -c ${name}${condition === '' ? '' : ` -n ${quoted(condition)}`}${rest}\n`;
  const optionLine = (condition: string, { names: own, description, values: taken }: DeclaredOption) => {
    const flags = own.map((flag) =>
      flag.startsWith('--') ? ` -l ${flag.slice(2)}` : ` -s ${flag.slice(1)}`,
    );
    return line(condition, `${flags.join('')}${values(taken)} -d ${quoted(description)}`);
  };
  return [
    header('fish', program),
    `complete -c ${name} -f\n`,
    ...options.map((option) => optionLine('', option)),
    ...commands.map((command) =>
      line(
        `not __fish_seen_subcommand_from ${names}`,
        ` -a ${command.name} -d ${quoted(command.description)}`,
      ),
    ),
    ...commands.flatMap((command) => {
      const condition = `__fish_seen_subcommand_from ${command.name}`;
      const own = command.options.filter(
        ({ names: [first] }) => !options.some((it) => it.names[0] === first),
      );
      return [
        ...own.map((option) => optionLine(condition, option)),
        ...(command.values ? [line(condition, values(command.values).replace(/^ -[xr]/, ' '))] : []),
      ];
    }),
  ].join('');
}
