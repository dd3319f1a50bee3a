import { readFileSync } from 'node:fs'
import { createConfig, lintFromString } from '@redocly/openapi-core'
import { expect, test } from 'vitest'
import { openFullServer } from '../scripts/openapi-document.ts'

const source = readFileSync(new URL('../openapi.json', import.meta.url), 'utf8')

interface Described {
  readonly components: { readonly schemas: object }
  readonly paths: Record<string, Record<string, { readonly operationId: string; readonly responses: object }>>
}
const { components, paths }: Described = JSON.parse(source)
const operations = Object.entries(paths).flatMap(([path, methods]) =>
  Object.values(methods).map((operation) => ({ ...operation, path })),
)

test('openapi.json is what a server with everything serves; `pnpm --filter ai-ticket-server openapi` writes it', async () => {
  await using full = await openFullServer()
  expect(JSON.parse(source)).toEqual(await full.document())
})

test('every route of the whole server is described', async () => {
  await using full = await openFullServer()
  const { routes } = full.server.openapi
  expect([...routes].filter(([, { describe }]) => !describe)).toEqual([])
  expect(operations).toHaveLength(routes.size)
})

test('the document is OpenAPI 3.1 without errors or warnings', async () => {
  const config = await createConfig({
    extends: ['recommended-strict'],
    rules: {
      'operation-operationId': 'error',
      'operation-description': 'off',
      'operation-summary': 'error',
      'operation-tag-defined': 'error',
      'tag-description': 'error',
      // It does not look into `x-events`; the next test does.
      'no-unused-components': 'off',
      'no-invalid-schema-examples': 'error',
      'no-invalid-media-type-examples': 'error',
      // `/tickets/stats` is no id: a literal address goes before a parameter.
      'no-ambiguous-paths': 'off',
    },
  })
  const problems = await lintFromString({ source, config })
  expect(problems.map(({ ruleId, message, location }) => [ruleId, message, location[0]?.pointer])).toEqual([])
})

test('every named schema is used', () => {
  const names = Object.keys(components.schemas)
  expect(names.filter((name) => !source.includes(`"#/components/schemas/${name}"`))).toEqual([])
})

test('the linter sees what is wrong', async () => {
  const broken = source.replace('"operationId": "createEvent"', '"operationId": "createTicket"')
  const config = await createConfig({ extends: ['recommended-strict'] })
  const problems = await lintFromString({ source: broken, config })
  expect(problems.map(({ ruleId }) => ruleId)).toContain('operation-operationId-unique')
})

/** KoboldCPP's API has another status for a bad request. */
const badRequest = (path: string) => (path.startsWith('/api/') ? ['422'] : ['400'])

test('every operation has what it answers when all goes well, and how it fails', () => {
  for (const { path, operationId, responses } of operations) {
    const statuses = Object.keys(responses)
    expect([operationId, statuses.some((status) => status.startsWith('2'))]).toEqual([operationId, true])
    expect([operationId, statuses]).toEqual([
      operationId,
      expect.arrayContaining([...badRequest(path), '408', '431', '500']),
    ])
  }
})
