import { expect, test } from 'vitest'
import type { Endpoint } from '../contract/backend.ts'
import type { Parameters, Turn } from '../contract/prompt.ts'
import { canCarry } from './candidates.ts'

const TEXT: Endpoint = { name: 'text', turns: false, images: false, tools: false, schema: false }
const HI: Turn = { role: 'user', content: 'Hi' }
const IMAGE: Turn = {
  role: 'user',
  content: [{ type: 'image_url', image_url: { url: 'data:image/png;base64,AA==' } }],
}
const TOOLS = [{ type: 'function', function: { name: 'now' } }]
const SCHEMA = { type: 'json_schema', json_schema: { name: 'answer', schema: {} } }

const carries = (parameters: Parameters, turns: Turn[] = [HI]) => canCarry(TEXT, { turns, parameters })

test.each<[string, Parameters, Turn[]?]>([
  ['an image', {}, [IMAGE]],
  ['tools', { tools: TOOLS }],
  ['the answer of a tool', {}, [HI, { role: 'tool', content: '12:00' }]],
  ['a call of a tool', {}, [HI, { role: 'assistant', content: null, tool_calls: TOOLS }]],
  ['a schema', { response_format: SCHEMA }],
  ['the answer format "json_object"', { response_format: { type: 'json_object' } }],
])('an endpoint for text does not carry %s', (_what, parameters, turns) => {
  expect(carries(parameters, turns)).toBe(false)
})

test.each<[string, Parameters]>([
  ['a prompt', {}],
  ['tools that must not be used', { tools: TOOLS, tool_choice: 'none' }],
  ['an empty list of tools', { tools: [] }],
  ['the answer format "text"', { response_format: { type: 'text' } }],
])('an endpoint for text carries %s', (_what, parameters) => {
  expect(carries(parameters)).toBe(true)
})

test('a grammar can stand for the answer format "json_object"', () => {
  const prompt = { turns: [HI], text: 'Hi', parameters: { response_format: { type: 'json_object' } } }
  expect(canCarry({ ...TEXT, schema: 'grammar' }, prompt)).toBe(true)
})
