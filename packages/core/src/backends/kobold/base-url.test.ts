import { expect, test } from 'vitest'
import { readBaseUrl } from './kobold-options.ts'

test.each([
  ['http://localhost:5001', 'http://localhost:5001'],
  ['http://localhost:5001/', 'http://localhost:5001'],
  ['http://localhost:5001/api', 'http://localhost:5001'],
  ['http://localhost:5001/api/', 'http://localhost:5001'],
  ['http://localhost:5001/v1', 'http://localhost:5001'],
  ['http://localhost:5001/api/v1/', 'http://localhost:5001'],
  ['http://localhost:5001/api/extra', 'http://localhost:5001'],
  ['http://localhost:5001/api/v1/generate', 'http://localhost:5001'],
  ['http://localhost:5001/v1/chat/completions', 'http://localhost:5001'],
  ['http://localhost:5001/#settings', 'http://localhost:5001'],
  ['http://localhost:5001/?q=1', 'http://localhost:5001'],
  ['localhost:5001', 'http://localhost:5001'],
  ['gpu-box:5001/api', 'http://gpu-box:5001'],
  ['192.168.1.7:5001', 'http://192.168.1.7:5001'],
  ['[::1]:5001', 'http://[::1]:5001'],
  ['  https://gpu.example/kobold/api  ', 'https://gpu.example/kobold'],
  ['https://gpu.example/api/kobold/v1', 'https://gpu.example/api/kobold'],
  ['https://gpu.example/boxapi', 'https://gpu.example/boxapi'],
  ['HTTP://GPU.example:80/API', 'http://gpu.example/API'],
])('%s is %s', (given, expected) => {
  expect(readBaseUrl(given)).toBe(expected)
})

test.each([
  '',
  ' ',
  'ftp://localhost',
  'http://',
  'http://a b',
  'http://user:secret@localhost:5001',
  5001,
  null,
])('%s is refused, and the error names the option and shows no password', (given) => {
  expect(() => readBaseUrl(given)).toThrow(TypeError)
  expect(() => readBaseUrl(given)).toThrow(/^url must/)
  expect(() => readBaseUrl(given)).not.toThrow(/secret/)
})
