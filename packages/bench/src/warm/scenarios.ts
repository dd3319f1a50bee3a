/** One question of a talk. Sizes in tokens, times in milliseconds. */
interface Question {
  readonly user: string
  readonly answerTokens: number
  /** From the answer before it, or from the start. */
  readonly afterMs: number
}

/** Who asks: questions one after another. Those of a conversation come with all turns before them. */
export interface Talk {
  readonly caller: string
  /** Default: whatever is loaded. */
  readonly model?: string
  readonly system: string
  readonly questions: readonly Question[]
}

/** A desk on a day: who asks, and what the boxes can do. */
export interface Scenario {
  readonly name: string
  readonly boxes: number
  /** Prompts that a box keeps beside the last one. */
  readonly smartcache: number
  /** Tokens per second. */
  readonly reads: number
  readonly writes: number
  /** A box has one model in memory, and loading another takes so long. Default: it has one for all. */
  readonly loadMs?: number
  readonly talks: readonly Talk[]
}

/** What a program needs to send its next question. */
const REACTION_MS = 5

/** The simulator's tokenizer takes four characters for a token. */
function textOf(label: string, tokens: number): string {
  return `${label} `.repeat(Math.ceil((tokens * 4) / (label.length + 1))).slice(0, tokens * 4)
}

/** Small models on a processor: what the recorded runs on a real KoboldCPP had. */
const SHORT_PROMPTS = { reads: 710, writes: 250 }
const LONG_PROMPTS = { reads: 360, writes: 250 }

const repeat = <Item>(times: number, make: (index: number) => Item): Item[] =>
  Array.from({ length: times }, (_, index) => make(index))

/** Every event of an automation begins with the same instructions. All are there at once, in turn. */
function automations(count: number, events: number, sizes: { instructions: number; mail: number }): Talk[] {
  return repeat(events, (event) =>
    repeat(count, (one) => ({
      caller: `automation-${one}`,
      system: textOf(`rule${one}`, sizes.instructions),
      questions: [
        { user: textOf(`mail ${one} ${event}`, sizes.mail), answerTokens: 16, afterMs: 0 },
      ] satisfies Question[],
    })),
  ).flat()
}

interface ConversationSizes {
  readonly turns: number
  readonly first: number
  readonly next: number
  readonly answer: number
  readonly pauseMs: number
}

function conversation(name: string, { turns, first, next, answer, pauseMs }: ConversationSizes): Talk {
  return {
    caller: name,
    system: textOf(`${name}-system`, first - next),
    questions: repeat(turns, (turn) => ({
      user: textOf(`${name} ${turn}`, next),
      answerTokens: answer,
      afterMs: turn === 0 ? 0 : pauseMs * unsteadiness(name, turn),
    })),
  }
}

/** Nobody thinks for the same time twice: from half of it to half as much again. */
const unsteadiness = (name: string, turn: number): number =>
  0.5 + ((name.charCodeAt(name.length - 1) * 37 + turn * 61) % 100) / 100

/** As measured: 24 prompts of 27,800 tokens, 5,700 of them new. */
const SIX_TURNS = { turns: 6, first: 790, next: 115, answer: 56, pauseMs: REACTION_MS }

const fourConversations = () => repeat(4, (one) => conversation(`talk-${one}`, SIX_TURNS))

/** Two batches, an agent with twelve calls of tools, and somebody who thinks between his questions. */
function mixedDesk(): Talk[] {
  const agent = { turns: 13, first: 1_500, next: 150, answer: 40, pauseMs: 120 }
  const chat = { turns: 6, first: 700, next: 60, answer: 80, pauseMs: 3_000 }
  return [
    conversation('chat', chat),
    conversation('agent', agent),
    ...automations(2, 20, { instructions: 500, mail: 100 }),
  ]
}

function unrelated(): Talk[] {
  return repeat(48, (event) => ({
    caller: `caller-${event % 4}`,
    system: textOf(`nothing ${event}`, 500),
    questions: [{ user: textOf(`question ${event}`, 200), answerTokens: 32, afterMs: 0 }],
  }))
}

/** Each caller asks for a model of its own. */
const onOwnModels = (talks: readonly Talk[]): Talk[] =>
  talks.map((talk) => ({ ...talk, model: `model-of-${talk.caller}` }))

export const SCENARIOS: readonly Scenario[] = [
  {
    name: 'two automations in turn, one box',
    ...{ boxes: 1, smartcache: 0, ...SHORT_PROMPTS },
    talks: automations(2, 8, { instructions: 634, mail: 80 }),
  },
  {
    name: 'four conversations, two boxes',
    ...{ boxes: 2, smartcache: 0, ...LONG_PROMPTS },
    talks: fourConversations(),
  },
  {
    name: 'two conversations with pauses, two boxes',
    ...{ boxes: 2, smartcache: 0, ...LONG_PROMPTS },
    talks: repeat(2, (one) =>
      conversation(`talk-${one}`, {
        ...{ turns: 6, first: 720, next: 130, answer: 20 },
        pauseMs: 2_300,
      }),
    ),
  },
  {
    name: 'four conversations, two boxes with smartcache',
    ...{ boxes: 2, smartcache: 5, ...LONG_PROMPTS },
    talks: fourConversations(),
  },
  {
    name: 'a mixed desk, two boxes',
    ...{ boxes: 2, smartcache: 0, ...SHORT_PROMPTS },
    talks: mixedDesk(),
  },
  {
    name: 'prompts that share nothing, two boxes',
    ...{ boxes: 2, smartcache: 0, ...SHORT_PROMPTS },
    talks: unrelated(),
  },
  {
    name: '64 conversations, eight boxes',
    ...{ boxes: 8, smartcache: 0, ...LONG_PROMPTS },
    talks: repeat(64, (one) => conversation(`talk-${one}`, SIX_TURNS)),
  },
  {
    name: 'two automations on two models, one box that swaps',
    ...{ boxes: 1, smartcache: 0, loadMs: 8_000, ...SHORT_PROMPTS },
    talks: onOwnModels(automations(2, 8, { instructions: 634, mail: 80 })),
  },
  {
    name: 'the same with 60 events each',
    ...{ boxes: 1, smartcache: 0, loadMs: 8_000, ...SHORT_PROMPTS },
    talks: onOwnModels(automations(2, 60, { instructions: 634, mail: 80 })),
  },
]
