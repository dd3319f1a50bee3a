export { koboldDoor } from './kobold/kobold-door.ts'
export { type ResponsesDoorOptions, responsesDoor } from './responses/responses-door.ts'
