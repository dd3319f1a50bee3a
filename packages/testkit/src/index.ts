export { type ChaosFetch, createChaosFetch } from './chaos/chaos-fetch.ts'
export type {
  ChaosPlan,
  ChaosReply,
  ChaosStep,
  ChaosTarget,
  ChaosToolCall,
  ChaosTruth,
  ChaosUsage,
  Choice,
} from './chaos/chaos-plan.ts'
export { createChoice } from './chaos/chaos-plan.ts'
export { type ChaosServer, startChaosServer } from './chaos/chaos-server.ts'
export { type ChaosSeen, describeChaos, judgeChaos } from './chaos/judge.ts'
export { type ChaosOptions, planChaos } from './chaos/plan-chaos.ts'
export { createScaledClock } from './clock/scaled-clock.ts'
export { createVirtualClock, type VirtualClock, type VirtualClockOptions } from './clock/virtual-clock.ts'
export {
  type FaultEndpoint,
  type FaultReach,
  type KoboldFault,
  type KoboldFaultName,
  koboldFaultNames,
} from './kobold/contract/kobold-script.ts'
export type {
  CallState,
  GenerationEndpoint,
  RecordedAbort,
  RecordedCall,
  RecordedRequest,
} from './kobold/contract/recorded-call.ts'
export type {
  KoboldSimulatorOptions,
  KoboldVersion,
  SimulatedAnswer,
  SimulatedPrompt,
} from './kobold/contract/simulator-options.ts'
export {
  type KoboldSimulator,
  type StartKoboldSimulatorOptions,
  startKoboldSimulator,
} from './kobold/kobold-simulator.ts'
export { type OpenAISimulator, type ReplyScript, startOpenAISimulator } from './openai/openai-simulator.ts'
export type {
  OpenAICall,
  OpenAIFlavour,
  OpenAISimulatorOptions,
  ScriptedReply,
} from './openai/openai-simulator-options.ts'
export {
  listExchanges,
  loadExchange,
  type RecordedChunk,
  type RecordedExchange,
  type RecordedHttpRequest,
  type RecordedHttpResponse,
} from './recorded/load-fixture.ts'
export {
  type ReplayedRequest,
  type ReplayServer,
  type ReplayServerOptions,
  startReplayServer,
} from './recorded/replay-server.ts'
export { createPromptMemory, type PromptMemory, type PromptReading } from './wire/prompt-memory.ts'
export type { WaitOptions } from './wire/watch.ts'
