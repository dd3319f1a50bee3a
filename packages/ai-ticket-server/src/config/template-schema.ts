import * as v from 'valibot'
import { closedObject, describe } from './schema-parts.ts'

const PAIR_EXPECTED = 'a list of two texts: what stands before a turn and after it'
const PairSchema = v.strictTuple([v.string(PAIR_EXPECTED), v.string(PAIR_EXPECTED)], PAIR_EXPECTED)

const STOP_EXPECTED = 'a list of texts that end an answer'

/** All of it or nothing: half a template of somebody's own would be mixed with Alpaca's tags. */
export const TemplateSchema = closedObject(
  {
    system: describe(PairSchema, 'What stands before and after a system turn.'),
    user: describe(PairSchema, 'The same for a turn of the user.'),
    assistant: describe(PairSchema, 'The same for an answer; what stands before it also opens the new one.'),
    tool: describe(PairSchema, 'The same for the result of a tool.'),
    stop: describe(
      v.array(v.string(STOP_EXPECTED), STOP_EXPECTED),
      'Texts that end an answer which goes on with the next turn.',
    ),
  },
  'the object "template"',
)
