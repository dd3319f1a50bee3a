export { koboldDoor } from './kobold/kobold-door.ts'
