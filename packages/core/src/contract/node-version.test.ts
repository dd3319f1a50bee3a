import { expect, test } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import { nodeProblem } from './node-version.ts'

test.each(['18.20.4', '20.20.2', '22.18.0'])(
  'Node %s is too old, and the words say what to do',
  (version) => {
    const problem = nodeProblem(version)
    expect(problem).toMatch(`AI Ticket needs Node 22.19 or newer; this is ${version}.`)
    expect(problem).toMatch('nvm install')
  },
)

test.each(['22.19.0', '22.21.1', '24.0.0', '26.1.0', process.versions.node])(
  'Node %s is new enough',
  (version) => {
    expect(nodeProblem(version)).toBeUndefined()
  },
)

test('the package asks for the same', () => {
  expect(manifest.engines.node).toBe('>=22.19.0')
})
