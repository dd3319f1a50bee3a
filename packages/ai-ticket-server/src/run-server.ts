import { createMetrics, createServer } from '@ai-ticket/server'
import { announceBackends } from './announce-backends.ts'
import { composeDispatcher, composeLogger } from './compose.ts'
import type { ResolvedConfig } from './config.ts'
import { endOnSignals } from './end-on-signals.ts'
import { EXIT } from './exit-codes.ts'
import { exitWhenWritten } from './exit-when-written.ts'
import { listenProblem } from './listen-problem.ts'
import { shutDown } from './shut-down.ts'
import { startTracing } from './start-tracing.ts'
import { VERSION } from './version.ts'

/** Listens until a signal comes, and ends the process. */
export async function runServer({ config, warnings }: ResolvedConfig): Promise<void> {
  const logger = composeLogger(config, process.stdout)
  process.on('uncaughtException', (error) => {
    logger.error('A bug ends the server.', { error: error instanceof Error ? error.stack : String(error) })
    exitWhenWritten(EXIT.internal)
  })
  for (const warning of warnings) logger.warn(warning)
  const stopTracing = await startTracing(process.env, logger)
  const metrics = await createMetrics({ version: VERSION })
  const dispatcher = composeDispatcher(config, logger, metrics.observer)
  const server = createServer({
    dispatcher,
    logger,
    apiKeys: config.apiKeys,
    allowedHosts: config.allowedHosts,
    bodyLimitBytes: config.bodyLimitBytes,
    metrics,
    version: VERSION,
  })
  const signals = endOnSignals(async (signal) => {
    await shutDown({ signal, server, dispatcher, logger, drainMs: config.drainMs })
    await stopTracing()
    exitWhenWritten(EXIT.ok)
  })
  try {
    // Fastify logs one such line for each address of the host.
    const listenTextResolver = (address: string) => `Listening on ${address}`
    await server.listen({ host: config.host, port: config.port, listenTextResolver })
  } catch (error) {
    // A signal came first: a server that is closed does not listen.
    if (signals.ending) return
    process.stderr.write(`${listenProblem(error, config)}\n`)
    await dispatcher.close()
    return exitWhenWritten(EXIT.cannotListen)
  }
  if (signals.ending) return
  const { backends } = await dispatcher.health()
  if (!signals.ending) announceBackends(config, backends, logger)
}
