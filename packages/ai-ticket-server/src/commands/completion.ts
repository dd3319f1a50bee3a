import { Argument, type Command } from 'commander'
import { addExamples, type CommandModule, type Run, runs } from '../program/command-line.ts'
import { EXIT } from '../program/exit-codes.ts'

const EXAMPLES = `
  source <(ai-ticket completion bash)
  ai-ticket completion zsh > "\${fpath[1]}/_ai-ticket"
  ai-ticket completion fish > ~/.config/fish/completions/ai-ticket.fish
`

export const command: CommandModule = {
  configure(command) {
    command.addArgument(new Argument('<shell>', 'Your shell').choices(Object.keys(SCRIPTS)))
    addExamples(command, EXAMPLES)
    const print: Run<object> = ({ words: [shell = ''] }) => {
      process.stdout.write(SCRIPTS[shell]?.(placesIn(command.parent ?? command)) ?? '')
      return EXIT.ok
    }
    runs(command, print)
  },
}

interface Word {
  readonly word: string
  readonly summary: string
}

/** What may follow some words of a command line. */
interface Place {
  /** The commands so far, like `tickets list`; empty at the beginning. */
  readonly path: string
  readonly commands: readonly Word[]
  readonly flags: readonly Word[]
}

function placesIn(command: Command, path = ''): Place[] {
  const commands = command.commands.map((one) => ({ word: one.name(), summary: one.description() }))
  const flags = command
    .createHelp()
    .visibleOptions(command)
    .flatMap(({ long, description }) => (long ? [{ word: long, summary: description }] : []))
  const inner = command.commands.flatMap((one) =>
    placesIn(one, path === '' ? one.name() : `${path} ${one.name()}`),
  )
  return [{ path, commands, flags }, ...inner]
}

const wordsOf = ({ commands, flags }: Place): string =>
  [...commands, ...flags].map(({ word }) => word).join(' ')

/**
 * Shell code within a loop over the `$word`s typed so far: `$known` is what may follow. A word that is no command after the
 * others changes nothing.
 */
function whatMayFollow(places: readonly Place[]): string {
  const steps = places.flatMap(({ path, commands }) =>
    commands.map(({ word }) => `'${path}:${word}') place='${`${path} ${word}`.trim()}' ;;`),
  )
  const known = places.map((place) => `'${place.path}') known='${wordsOf(place)}' ;;`)
  return `    case "$place:$word" in
      ${steps.join('\n      ')}
    esac
  done
  case "$place" in
    ${known.join('\n    ')}
  esac
`
}

const bash = (places: readonly Place[]): string => `# bash completion for ai-ticket
_ai_ticket() {
  local place='' word known=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
${whatMayFollow(places)}  COMPREPLY=($(compgen -W "$known" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _ai_ticket ai-ticket
`

const zsh = (places: readonly Place[]): string => `#compdef ai-ticket
_ai-ticket() {
  local place='' word known=''
  local -a typed
  typed=("\${(@)words[2,CURRENT-1]}")
  for word in "\${typed[@]}"; do
${whatMayFollow(places)}  compadd -- \${=known}
  _files
}
if [ "$funcstack[1]" = _ai-ticket ]; then _ai-ticket "$@"; else compdef _ai-ticket ai-ticket; fi
`

const quote = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

function fish(places: readonly Place[]): string {
  const lines = places.flatMap(({ path, commands, flags }) => {
    const typed = path.split(' ').filter(Boolean)
    const conditions = [
      ...typed.map((word) => `__fish_seen_subcommand_from ${word}`),
      ...(commands.length === 0
        ? []
        : [`not __fish_seen_subcommand_from ${commands.map(({ word }) => word).join(' ')}`]),
    ]
    const when = `-n ${quote(conditions.join('; and '))}`
    return [
      ...commands.map(
        ({ word, summary }) => `complete -c ai-ticket ${when} -f -a ${word} -d ${quote(summary)}`,
      ),
      ...flags.map(
        ({ word, summary }) => `complete -c ai-ticket ${when} -l ${word.slice(2)} -d ${quote(summary)}`,
      ),
    ]
  })
  return `# fish completion for ai-ticket\n${lines.join('\n')}\n`
}

const SCRIPTS: Readonly<Record<string, (places: readonly Place[]) => string>> = { bash, zsh, fish }
