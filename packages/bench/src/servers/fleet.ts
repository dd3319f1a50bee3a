import { join } from 'node:path'
import { Client } from 'undici'
import { freePort } from '../../../workspace/free-port.mjs'
import type { Contender } from './contender.ts'
import { sourceFile } from './contenders.ts'
import { type RunningProgram, startProgram } from './running-program.ts'
import { sendCall } from './send-call.ts'

/** One contender, running. */
export interface Ship extends Contender {
  readonly url: string
  readonly pid: number
}

export type BackendMode = 'keep-alive' | 'close'

export async function startBackend(mode: BackendMode, folder: string): Promise<RunningProgram> {
  const port = await freePort()
  const args = [sourceFile('servers/instant-backend.ts'), String(port), mode]
  return startProgram(() => ({ args }), { name: 'backend', port, folder, healthPath: '/api/extra/version' })
}

/** All of them in front of one backend, each in its own process; all at rest but the one being asked. */
export async function startFleet(
  contenders: readonly Contender[],
  { backend, folder }: { readonly backend: RunningProgram; readonly folder: string },
): Promise<{ ships: Ship[] } & AsyncDisposable> {
  const stack = new AsyncDisposableStack()
  const ships: Ship[] = []
  for (const contender of contenders) {
    const running = await startContender(contender, backend.url, folder)
    if (running) stack.use(running)
    const { pid, url } = running ?? backend
    ships.push({ ...contender, pid, url })
    await proveItAnswers({ ...contender, pid, url })
  }
  return { ships, [Symbol.asyncDispose]: () => stack.disposeAsync() }
}

export async function startContender(
  { name, program, healthPath }: Contender,
  backendUrl: string,
  parentFolder: string,
): Promise<RunningProgram | undefined> {
  if (!program) return undefined
  const port = await freePort()
  const folder = join(parentFolder, String(port))
  const place = { name, port, folder, healthPath }
  return startProgram(() => program({ port, backendUrl, folder }), place)
}

/** A word of the recorded answer. */
export const FIRST_TOKEN = 'One'

/** A server that is quick because it answers nothing would win. */
async function proveItAnswers({ name, url, plain, stream }: Ship): Promise<void> {
  const client = new Client(url)
  for (const call of stream ? [plain, stream] : [plain]) {
    const { markMs } = await sendCall(client, call, { mark: FIRST_TOKEN })
    if (markMs === undefined) throw new Error(`${name} does not hand on the answer of the backend.`)
  }
  await client.close()
}
