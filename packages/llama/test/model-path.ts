/** A small real model beside the repository, or where the variable says. It is never part of the repository. */
export const modelPath =
  process.env.AI_TICKET_TEST_MODEL ??
  new URL('../../../../shared/models/stories260K.gguf', import.meta.url).pathname

export const whyNot = `there is no model at ${modelPath}; AI_TICKET_TEST_MODEL may name another stories260K.gguf`
