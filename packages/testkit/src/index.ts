export {
  type FaultEndpoint,
  type FaultReach,
  type KoboldFault,
  type KoboldFaultName,
  koboldFaultNames,
} from './kobold-script.ts'
export {
  type KoboldSimulator,
  type StartKoboldSimulatorOptions,
  startKoboldSimulator,
} from './kobold-simulator.ts'
export {
  listExchanges,
  loadExchange,
  type RecordedChunk,
  type RecordedExchange,
  type RecordedHttpRequest,
  type RecordedHttpResponse,
} from './load-fixture.ts'
export { type OpenAISimulator, type ReplyScript, startOpenAISimulator } from './openai-simulator.ts'
export type {
  OpenAICall,
  OpenAIFlavour,
  OpenAISimulatorOptions,
  ScriptedReply,
} from './openai-simulator-options.ts'
export type {
  CallState,
  GenerationEndpoint,
  RecordedAbort,
  RecordedCall,
  RecordedRequest,
} from './recorded-call.ts'
export {
  type ReplayedRequest,
  type ReplayServer,
  type ReplayServerOptions,
  startReplayServer,
} from './replay-server.ts'
export { createScaledClock } from './scaled-clock.ts'
export type {
  KoboldSimulatorOptions,
  KoboldVersion,
  SimulatedAnswer,
  SimulatedPrompt,
} from './simulator-options.ts'
export { createVirtualClock, type VirtualClock, type VirtualClockOptions } from './virtual-clock.ts'
export type { WaitOptions } from './watch.ts'
