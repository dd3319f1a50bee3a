// Answers one event and prints every module that was loaded for it.
import { registerHooks } from 'node:module'

const loaded = []
registerHooks({
  load(url, context, next) {
    loaded.push(url)
    return next(url, context)
  },
})
const { createDispatcher } = await import('@ai-ticket/core')
const end = { type: 'end', text: '{}', finish_reason: 'stop', raw_finish_reason: 'stop' }
const backend = {
  name: 'here',
  endpoints: [{ name: 'only', turns: true, images: false, tools: false, schema: false }],
  async *generate() {
    yield end
  },
  probe: async () => ({ models: [] }),
  close: async () => {},
}
const desk = createDispatcher({ backends: [backend] })
await desk.onEvent(JSON.parse(process.argv[2]))
await desk.close()
process.stdout.write(loaded.join('\n'))
