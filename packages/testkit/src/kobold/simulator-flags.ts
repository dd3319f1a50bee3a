import { parseArgs } from 'node:util'
import type { StartKoboldSimulatorOptions } from './kobold-simulator.ts'

export const simulatorUsage = `kobold-simulator: answers like a KoboldCPP server, with fixed text. It is not a language model.

  --port <number>                       default 5001; 0 takes a free one
  --host <address>                      default 127.0.0.1
  --koboldcpp-version <1.115.1 | 1.76>  whose replies to follow, default 1.115.1
  --model <name>                        default koboldcpp/simulator
  --context-length <tokens>             default 8192
  --tokens-per-second <number>          default 20; "infinity": at once
  --prompt-tokens-per-second <number>   default infinity
  --smartcache <number>                 prompts kept beside the last one, default 0; 1: 5
  --waiting-room <number>               how many may wait, default 9 (1.76: 6)
  --loading-ms <number>                 the port opens only after this time
  --password <text>                     ask for this bearer token
  --help
`

const options = {
  port: { type: 'string' },
  host: { type: 'string' },
  'koboldcpp-version': { type: 'string' },
  model: { type: 'string' },
  'context-length': { type: 'string' },
  'tokens-per-second': { type: 'string' },
  'prompt-tokens-per-second': { type: 'string' },
  smartcache: { type: 'string' },
  'waiting-room': { type: 'string' },
  'loading-ms': { type: 'string' },
  password: { type: 'string' },
  help: { type: 'boolean' },
} as const

type SimulatorFlags =
  | { readonly help: true }
  | { readonly help: false; readonly options: StartKoboldSimulatorOptions }

/** Flags to options. Throws an Error that names a bad flag or value. */
export function parseSimulatorFlags(args: readonly string[]): SimulatorFlags {
  const { values } = parseArgs({ args: [...args], options, strict: true })
  if (values.help === true) return { help: true }
  const text = (value: string) => value
  return {
    help: false,
    options: {
      port: 5001,
      tokensPerSecond: 20,
      streamOverheadMs: 350,
      lockTailMs: 50,
      ...given('port', values.port, (value) => number('port', value)),
      ...given('host', values.host, text),
      ...given('version', values['koboldcpp-version'], version),
      ...given('model', values.model, text),
      ...given('contextLength', values['context-length'], (value) => number('context-length', value)),
      ...given('tokensPerSecond', values['tokens-per-second'], (value) => number('tokens-per-second', value)),
      ...given('promptTokensPerSecond', values['prompt-tokens-per-second'], (value) =>
        number('prompt-tokens-per-second', value),
      ),
      ...given('smartcache', values.smartcache, (value) => number('smartcache', value)),
      ...given('waitingRoom', values['waiting-room'], (value) => number('waiting-room', value)),
      ...given('loadingMs', values['loading-ms'], (value) => number('loading-ms', value)),
      ...given('password', values.password, text),
    },
  }
}

function number(flag: string, text: string): number {
  const value = text.toLowerCase() === 'infinity' ? Number.POSITIVE_INFINITY : Number(text)
  if (text.trim() === '' || !(value >= 0)) throw new RangeError(`--${flag} needs a number, not "${text}".`)
  return value
}

function version(text: string): '1.76' | '1.115.1' {
  if (text === '1.76' || text === '1.115.1') return text
  throw new RangeError(`--koboldcpp-version must be 1.115.1 or 1.76, not "${text}".`)
}

function given<Key extends string, Value>(key: Key, text: string | undefined, read: (text: string) => Value) {
  return (text === undefined ? {} : { [key]: read(text) }) as { [name in Key]?: Value }
}
