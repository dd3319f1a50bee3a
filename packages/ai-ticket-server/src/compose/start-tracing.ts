import { setTimeout } from 'node:timers/promises'
import { type Logger, systemClock } from '@ai-ticket/core'

type Environment = Readonly<Record<string, string | undefined>>

/** Whether the variables of OpenTelemetry ask for traces: an exporter or an address for them is named. */
export function wantsTracing(environment: Environment): boolean {
  if (environment.OTEL_SDK_DISABLED?.trim().toLowerCase() === 'true') return false
  const exporter = environment.OTEL_TRACES_EXPORTER?.trim()
  if (exporter) return exporter !== 'none'
  return Boolean(environment.OTEL_EXPORTER_OTLP_ENDPOINT || environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT)
}

/** Sends what is left, and ends tracing. */
type StopTracing = () => Promise<void>

const nothing = async () => {}

/**
 * Starts OpenTelemetry's SDK where its variables ask for it. The SDK is 40 MB and takes 200 ms to load, so it is an
 * optional package; without it the server says so and goes on. It takes 100 of the traces that begin here each second,
 * unless `OTEL_TRACES_SAMPLER` says otherwise. Metrics are at `GET /metrics`, so the SDK sends none.
 */
export async function startTracing(environment: Environment, logger: Logger): Promise<StopTracing> {
  if (!wantsTracing(environment)) return nothing
  const sdk = await import('@opentelemetry/sdk-node').catch((error: unknown) => {
    const why = error instanceof Error && 'code' in error ? String(error.code) : undefined
    logger.warn(MISSING, { package: '@opentelemetry/sdk-node', why })
  })
  if (!sdk) return nothing
  const isNamed =
    environment.OTEL_SERVICE_NAME || environment.OTEL_RESOURCE_ATTRIBUTES?.includes('service.name=')
  const { limitTraces } = await import('./limit-traces.ts')
  const running = new sdk.NodeSDK({
    ...(environment.OTEL_TRACES_SAMPLER ? {} : { sampler: limitTraces(TRACES_PER_SECOND, systemClock) }),
    ...(isNamed ? {} : { serviceName: 'ai-ticket' }),
    metricReaders: [],
    logRecordProcessors: [],
  })
  running.start()
  logger.info('Sending traces as the OTEL_* variables say.')
  const shutDown = () =>
    running
      .shutdown()
      .catch((error: unknown) => logger.warn('The last traces were not sent.', { error: String(error) }))
  return () => Promise.race([shutDown(), setTimeout(LAST_SPANS_MS, undefined, { ref: false })])
}

/** More than the models of one desk answer; a flood of events that are refused or repeated is beyond it. */
const TRACES_PER_SECOND = 100

/** A collector that is away must not keep the server from ending. */
const LAST_SPANS_MS = 2_000

const MISSING =
  'OTEL_* asks for traces, but the package that sends them is not installed. Nothing is traced. Install it beside ' +
  'ai-ticket-server: npm install @opentelemetry/sdk-node'
