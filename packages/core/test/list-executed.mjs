// Answers one event, then prints every file of core in which a function runs while a second, equal one is answered.
import { Session } from 'node:inspector/promises'
import { createDispatcher, createKoboldBackend } from '@ai-ticket/core'
import { startKoboldSimulator } from '@ai-ticket/testkit'

const SOURCES = new URL('../src/', import.meta.url).href

const simulator = await startKoboldSimulator({ tokensPerSecond: Number.POSITIVE_INFINITY })
const desk = createDispatcher({ backends: [createKoboldBackend({ url: simulator.url })] })
const ask = () => desk.onEvent({ content: 'Say hello.' })

await ask()
const profiler = new Session()
profiler.connect()
await profiler.post('Profiler.enable')
await profiler.post('Profiler.startPreciseCoverage', { callCount: true, detailed: false })
const outcome = await ask()
const { result } = await profiler.post('Profiler.takePreciseCoverage')
profiler.disconnect()
await desk.close()
await simulator.close()

const hasRun = ({ functions }) => functions.some(({ ranges }) => ranges[0].count > 0)
const files = result
  .filter((script) => script.url.startsWith(SOURCES) && hasRun(script))
  .map(({ url }) => url.slice(SOURCES.length))
process.stdout.write(JSON.stringify({ outcome, files: files.sort() }))
