// A program: the server that one writes in an afternoon with the AI SDK, carefully: it hands on the model, the schema
// and the error, and stops when its caller hangs up. `node ai-sdk-server.mjs <port> <model>=<backend url> …`
import { createServer } from 'node:http'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, jsonSchema, Output, streamText } from 'ai'

Object.assign(globalThis, { AI_SDK_LOG_WARNINGS: false })
const [, , port = '', ...targets] = process.argv
const models = Object.fromEntries(
  targets.map((target) => {
    const [name, url] = target.split(/=(.*)/s)
    const options = { name, baseURL: `${url}/v1`, apiKey: 'none', supportsStructuredOutputs: true }
    return [name, createOpenAICompatible(options)(name)]
  }),
)

createServer(async (request, response) => {
  if (request.method !== 'POST') return response.end('{"status":"healthy"}')
  const controller = new AbortController()
  response.on('close', () => response.writableFinished || controller.abort())
  try {
    const body = JSON.parse(Buffer.concat(await request.toArray()).toString('utf8'))
    const schema = body.response_format?.json_schema?.schema
    const options = {
      model: models[body.model],
      messages: body.messages,
      maxOutputTokens: body.max_tokens,
      abortSignal: controller.signal,
      ...(schema && { output: Output.object({ schema: jsonSchema(schema) }) }),
    }
    if (body.stream) await sendStream(response, streamText({ ...options, onError() {} }))
    else await sendWhole(response, await generateText(options), schema)
  } catch (error) {
    const status = error?.statusCode ?? error?.lastError?.statusCode ?? 502
    const problem = JSON.stringify({ error: { message: String(error?.message) } })
    if (response.headersSent) return response.end(`data: ${problem}\n\n`)
    response.writeHead(status, { 'content-type': 'application/json' }).end(problem)
  }
}).listen(Number(port), '127.0.0.1')

async function sendWhole(response, result, schema) {
  const content = schema ? JSON.stringify(result.output) : result.text
  const choice = { index: 0, message: { role: 'assistant', content }, finish_reason: result.finishReason }
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(JSON.stringify({ object: 'chat.completion', choices: [choice] }))
}

async function sendStream(response, result) {
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const send = (data) => response.write(`data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`)
  const chunk = (delta, finish_reason = null) => send({ choices: [{ index: 0, delta, finish_reason }] })
  for await (const part of result.stream) {
    if (part.type === 'text-delta') chunk({ content: part.text })
    else if (part.type === 'error') send({ error: { message: String(part.error?.message) } })
    else if (part.type === 'finish') chunk({}, part.finishReason)
  }
  response.end('data: [DONE]\n\n')
}
