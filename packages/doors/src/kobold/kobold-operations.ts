import type { Operation } from '@ai-ticket/http-server/openapi'
import type { GenericSchema } from 'valibot'
import * as v from 'valibot'

const KoboldErrorSchema = v.pipe(
  v.object({
    detail: v.object({
      error: v.exactOptional(v.literal('Unauthorized')),
      msg: v.string(),
      type: v.picklist(['bad_input', 'service_unavailable', 'unauthorized', 'server_error']),
    }),
  }),
  v.description('A failure, as clients of KoboldCPP read it.'),
)

const SCHEMAS = { KoboldError: KoboldErrorSchema }

const flag = v.literal(false)
const count = v.pipe(v.number(), v.integer(), v.minValue(0))

/** What is asked for without a key. */
const info = (operationId: string, summary: string, schema: GenericSchema): Operation => ({
  operationId,
  summary,
  tag: 'Kobold',
  answers: { 200: { description: 'As KoboldCPP has it.', content: { 'application/json': { schema } } } },
  failures: [],
  access: 'keyless',
  schemas: SCHEMAS,
})

const VersionSchema = v.object({
  result: v.literal('KoboldCpp'),
  version: v.pipe(v.string(), v.description('The lowest of the KoboldCPP backends.')),
  protected: v.pipe(v.boolean(), v.description('Whether callers have to show a key.')),
  llm: v.pipe(v.boolean(), v.description('Whether any model is loaded.')),
  ...{ txt2img: flag, vision: flag, audio: flag, transcribe: flag, multiplayer: flag, websearch: flag },
  ...{ tts: flag, embeddings: flag, music: flag, savedata: flag, admin: v.literal(0), router: flag },
  ...{ guidance: flag, jinja: flag, mcp: flag },
})

const text = v.object({ result: v.string() })
const number = v.object({ value: count })

export const INFO_OPERATIONS = {
  getKoboldModel: info('getKoboldModel', 'The model that answers', text),
  getKoboldApiVersion: info('getKoboldApiVersion', 'The version of the KoboldAI API', text),
  getKoboldMaxLength: info('getKoboldMaxLength', 'The usual length of an answer, in tokens', number),
  getKoboldMaxContextLength: info('getKoboldMaxContextLength', 'The context, in tokens', number),
  getKoboldTrueMaxContextLength: info(
    'getKoboldTrueMaxContextLength',
    'The smallest context of the backends, in tokens',
    number,
  ),
  getKoboldSoftPrompts: info(
    'getKoboldSoftPrompts',
    'Soft prompts: there are none',
    v.object({ values: v.array(v.string()) }),
  ),
  getKoboldSoftPrompt: info(
    'getKoboldSoftPrompt',
    'The soft prompt: there is none',
    v.object({ value: v.literal('') }),
  ),
  getKoboldVersion: info('getKoboldVersion', 'The version, and what the server can do', VersionSchema),
  getKoboldStory: info('getKoboldStory', 'The story to begin with: there is none', v.object({})),
} as const satisfies Readonly<Record<string, Operation>>
