import { loadExchange } from '@ai-ticket/testkit'
import { expect, test } from 'vitest'
import { koboldDoor } from '../src/index.ts'
import { openDoor } from './open-door.ts'
import { shapeOf } from './shape-of.ts'

const KEYED = { apiKeys: ['secret'] }

test.each([
  'get-model',
  'get-query-string',
  'get-info-version',
  'get-max-length',
  'get-max-context-length',
  'get-true-max-context-length',
  'get-extra-version',
])('%s has the shape that KoboldCPP 1.115.1 has', async (name) => {
  await using door = await openDoor(koboldDoor)
  const { request, response } = loadExchange('1.115.1', name)
  const reply = await fetch(door.url + request.path)
  expect(reply.status).toBe(response.status)
  expect(shapeOf(await reply.json())).toEqual(shapeOf(JSON.parse(response.body ?? '')))
})

test('the model is the one that answers, and the context is the real one', async () => {
  await using door = await openDoor(koboldDoor)
  const get = async (path: string) => (await fetch(door.url + path)).json()
  for (const version of ['v1', 'latest']) {
    expect(await get(`/api/${version}/model`)).toEqual(await askItself(door.simulator.url, '/api/v1/model'))
    expect(await get(`/api/${version}/config/soft_prompts_list`)).toEqual({ values: [] })
    expect(await get(`/api/${version}/config/soft_prompt`)).toEqual({ value: '' })
  }
  expect(await get('/api/extra/true_max_context_length')).toEqual(
    await askItself(door.simulator.url, '/api/extra/true_max_context_length'),
  )
  expect(await get('/api/extra/preloadstory')).toEqual({})
})

const askItself = async (url: string, path: string) => (await fetch(new URL(path, url))).json()

test('with keys, a caller without one learns that one is wanted, and no name', async () => {
  await using door = await openDoor(koboldDoor, { server: KEYED })
  const get = async (path: string, headers: Record<string, string> = {}) =>
    (await fetch(door.url + path, { headers })).json()
  expect(await get('/api/extra/version')).toMatchObject({ result: 'KoboldCpp', protected: true })
  expect(await get('/api/v1/model')).toEqual({ result: 'koboldcpp/protected-model' })
  expect(await get('/api/v1/model', { authorization: 'bearer wrong' })).toEqual({
    result: 'koboldcpp/protected-model',
  })
  for (const headers of [{ authorization: 'bearer secret' }, { 'x-api-key': 'secret' }]) {
    expect(await get('/api/v1/model', headers)).toEqual({ result: expect.not.stringContaining('protected') })
  }
})

test.each([
  ['no key', { method: 'POST', path: '/api/v1/generate' }, 401, 'unauthorized'],
  ['an unknown address', { path: '/api/extra/nowhere', key: 'secret' }, 404, 'bad_input'],
  ['the wrong method', { method: 'DELETE', path: '/api/extra/version', key: 'secret' }, 405, 'bad_input'],
])('before the route: %s', async (_name, { path, method = 'GET', key }: Asked, status, type) => {
  await using door = await openDoor(koboldDoor, { server: KEYED })
  const headers: Record<string, string> = key === undefined ? {} : { 'x-api-key': key }
  const reply = await fetch(door.url + path, { method, headers })
  const { detail } = (await reply.json()) as { detail: object }
  expect([reply.status, detail]).toMatchObject([status, { msg: expect.any(String), type }])
  expect('error' in detail).toBe(status === 401)
})

interface Asked {
  readonly path: string
  readonly method?: string
  readonly key?: string
}
