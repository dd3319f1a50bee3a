import { createRequire } from 'node:module'
import { join } from 'node:path'
import { freePort } from '../../../../workspace/free-port.mjs'
import { startDesk } from '../../load/field/start-desk.ts'
import { sourceFile } from '../../servers/contenders.ts'
import { installPortkey, PORTKEY_VERSION } from '../../servers/install-portkey.ts'
import { startProgram } from '../../servers/running-program.ts'
import type { DoorName } from './doors.ts'
import { type BackendKind, type Gateway, MODELS } from './gateway.ts'
import type { Range } from './range.ts'

/** A gateway that the harness has started and ends. */
export type StartedGateway = Gateway & AsyncDisposable

export interface StartPlace {
  readonly range: Range
  readonly folder: string
  /** Others have OpenAI's chat only. */
  readonly door?: DoorName
}

const versionOf = (name: string): string => createRequire(import.meta.url)(`${name}/package.json`).version

const modelOnly = (backend: BackendKind) => ({ model: MODELS[backend], headers: {} })

/**
 * The published bin, with one slot for each server and every other setting as it comes. By KoboldCPP's API, which names no
 * model, there is one of them for each server.
 */
export async function startOurs({ range, folder, door = 'chat' }: StartPlace): Promise<StartedGateway> {
  const backends = (['openai', 'kobold'] as const).map((type) => ({
    name: `${type}-like`,
    type,
    url: range[type].url,
    concurrency: 1,
    aliases: { [MODELS[type]]: range[type] === range.kobold ? `koboldcpp/${MODELS.kobold}` : MODELS.openai },
  }))
  const port = await freePort()
  const kobold = backends.filter(({ type }) => type === 'kobold')
  const start = () =>
    startDesk({ folder: join(folder, 'ai-ticket'), backends: door === 'kobold' ? kobold : backends, port })
  let desk = await start()
  const other =
    door === 'kobold'
      ? await startDesk({
          folder: join(folder, 'ai-ticket-openai'),
          backends: backends.filter((backend) => !kobold.includes(backend)),
        })
      : undefined
  return {
    name: 'ai-ticket-server',
    version: versionOf('ai-ticket-server'),
    url: desk.url,
    door,
    target: (backend) => ({
      ...modelOnly(backend),
      ...(other && backend === 'openai' && { url: other.url }),
    }),
    async killAndRestart() {
      await desk.kill()
      desk = await start()
    },
    async [Symbol.asyncDispose]() {
      await other?.[Symbol.asyncDispose]()
      await desk[Symbol.asyncDispose]()
    },
  }
}

/** With its repeats switched on, which are off unless a config asks for them. Resolves with the reason where npm has it not. */
export async function startPortkey({ range, folder }: StartPlace): Promise<StartedGateway | string> {
  const installed = await installPortkey()
  if ('problem' in installed) return installed.problem
  const port = await freePort()
  const program = () => ({ args: [installed.startScript, `--port=${port}`, '--headless'] })
  const place = { name: 'portkey', port, folder: join(folder, 'portkey'), healthPath: '/' }
  const running = await startProgram(program, place)
  return {
    name: '@portkey-ai/gateway',
    version: PORTKEY_VERSION,
    url: running.url,
    target: (backend) => ({
      model: MODELS[backend],
      headers: {
        'x-portkey-config': JSON.stringify({
          provider: 'openai',
          api_key: 'none',
          custom_host: `${range[backend].url}/v1`,
          retry: { attempts: 5, on_status_codes: [429, 500, 502, 503, 504], use_retry_after_header: true },
        }),
      },
    }),
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}

/** A plain server on `ai` and `@ai-sdk/openai-compatible`. */
export async function startAiSdk({ range, folder }: StartPlace): Promise<StartedGateway> {
  const port = await freePort()
  const targets = (['openai', 'kobold'] as const).map((kind) => `${MODELS[kind]}=${range[kind].url}`)
  const program = () => ({
    args: [sourceFile('torture/gateways/ai-sdk-server.mjs'), String(port), ...targets],
  })
  const place = { name: 'ai-sdk', port, folder: join(folder, 'ai-sdk'), healthPath: '/' }
  const running = await startProgram(program, place)
  return {
    name: 'a server on ai + @ai-sdk/openai-compatible',
    version: `${versionOf('ai')} + ${versionOf('@ai-sdk/openai-compatible')}`,
    url: running.url,
    target: modelOnly,
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  }
}
