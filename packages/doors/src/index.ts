export { anthropicDoor } from './anthropic/anthropic-door.ts'
export { koboldDoor } from './kobold/kobold-door.ts'
export { type ResponsesDoorOptions, responsesDoor } from './responses/responses-door.ts'
