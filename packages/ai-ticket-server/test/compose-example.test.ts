import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { exposureProblems, resolveConfig } from '../src/config/config.ts'

const FOLDER = resolve(import.meta.dirname, '../../../examples/compose')
const compose = JSON.stringify(parse(readFileSync(resolve(FOLDER, 'compose.yaml'), 'utf8')))
const example = parseEnv(readFileSync(resolve(FOLDER, '.env.example'), 'utf8'))

/** As compose does with `${NAME:-default}`: in the values, once the file is parsed. */
function interpolate(variables: Readonly<Record<string, string | undefined>>) {
  const filled = compose.replace(
    /\$\{([A-Z_]+):-([^}]*)\}/g,
    (_, name: string, fallback: string) => variables[name] || fallback,
  )
  return JSON.parse(filled).services['ai-ticket']
}

const accept = (environment: Record<string, string>) => {
  const resolved = resolveConfig({ environment, flags: {} })
  if (!resolved.ok) throw new Error(resolved.problems.map(({ message }) => message).join('\n'))
  return resolved.value
}

test('the server takes what compose hands it, with the example as .env or without one', () => {
  expect(interpolate(example)).toEqual(interpolate({}))
  const resolved = accept(interpolate(example).environment)
  const { config, warnings } = resolved
  expect(config).toMatchObject({ host: '0.0.0.0', port: 5000, logLevel: 'INFO' })
  expect(config.backends).toMatchObject([{ url: 'http://host.docker.internal:5001/api' }])
  expect(exposureProblems(resolved)).toEqual([])
  expect(warnings).toEqual([])
})

test('without keys it is published on this machine only', () => {
  const { ports, environment } = interpolate({ PORT: '8080' })
  expect(environment.AI_TICKET_ALLOW_ANONYMOUS).toBe('true')
  expect(ports).toEqual(['127.0.0.1:8080:5000'])
  expect(accept(environment).config.port).toBe(5000)
})

test('it gives the server more time to end than the server takes', () => {
  const { stop_grace_period, environment } = interpolate({})
  expect(Number.parseInt(stop_grace_period, 10) * 1_000).toBeGreaterThan(accept(environment).config.drainMs)
})

test('every container has a memory limit, and every image but our own an exact version', () => {
  const folders = ['compose', 'observability']
  const services = folders.flatMap((folder) => {
    const file = resolve(FOLDER, '..', folder, 'compose.yaml')
    return Object.entries<Record<string, string>>(parse(readFileSync(file, 'utf8')).services)
  })
  expect(services.length).toBeGreaterThanOrEqual(4)
  for (const [name, { image, mem_limit }] of services) {
    expect(mem_limit, name).toMatch(/^\d+[gm]$/)
    if (name !== 'ai-ticket') expect(image, name).toMatch(/:v?\d+\.\d+(\.\d+)?$|@sha256:/)
  }
})
