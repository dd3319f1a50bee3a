import type { ChatWrapper, Llama, LlamaContext, LlamaModel } from 'node-llama-cpp'
import type { LlamaSettings } from './llama-options.ts'
import type { Library } from './load-library.ts'

/** A model in memory. */
export interface Engine {
  readonly library: Library
  readonly llama: Llama
  readonly model: LlamaModel
  readonly context: LlamaContext
  /** Undefined: the model has no chat template and takes one text. */
  readonly chatWrapper: ChatWrapper | undefined
  /** In tokens, of one generation. */
  readonly contextSize: number
  close(): Promise<void>
}

/** Loads the model. Throws an `Error` that names the file where that fails; what was opened before is closed. */
export async function openEngine(library: Library, settings: LlamaSettings): Promise<Engine> {
  const { modelPath, contextSize, concurrency, threads, gpu } = settings
  // Node 22 has no AsyncDisposableStack.
  const opened: { dispose(): Promise<void> }[] = []
  try {
    // Never a download nor a build: a server that starts must not compile for minutes.
    const llama = await library.getLlama({
      gpu,
      build: 'never',
      skipDownload: true,
      progressLogs: false,
      logLevel: library.LlamaLogLevel.disabled,
      ...(threads !== undefined && { maxThreads: threads }),
    })
    opened.push(llama)
    const model = await llama.loadModel({ modelPath })
    opened.push(model)
    const context = await model.createContext({
      sequences: concurrency,
      ...(contextSize !== undefined && { contextSize }),
      ...(threads !== undefined && { threads }),
    })
    opened.push(context)
    const chatWrapper = chooseChatWrapper(library, model, settings.chatTemplate)
    const close = () => closeAll(opened)
    return { library, llama, model, context, chatWrapper, contextSize: context.contextSize, close }
  } catch (error) {
    await closeAll(opened)
    const reason = error instanceof Error ? error.message : String(error)
    throw new Error(`The model ${modelPath} could not be loaded: ${reason}`, { cause: error })
  }
}

/** The last one opened goes first; a second call finds nothing left to close. */
async function closeAll(opened: { dispose(): Promise<void> }[]): Promise<void> {
  for (let last = opened.pop(); last; last = opened.pop()) await last.dispose()
}

function chooseChatWrapper(
  library: Library,
  model: LlamaModel,
  chatTemplate: string | undefined,
): ChatWrapper | undefined {
  if (chatTemplate !== undefined) return new library.JinjaTemplateChatWrapper({ template: chatTemplate })
  if (!model.fileInfo.metadata.tokenizer?.chat_template) return undefined
  return library.resolveChatWrapper(model)
}
