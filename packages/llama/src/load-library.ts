export type Library = typeof import('node-llama-cpp')

/** Is only loaded for a backend that needs it: hundreds of files and a native binary. */
const importLibrary = (): Promise<Library> => import('node-llama-cpp')

/** Throws an `Error` that says what to install where the optional peer is missing. */
export async function loadLibrary(load: () => Promise<Library> = importLibrary): Promise<Library> {
  try {
    return await load()
  } catch (error) {
    const isMissing = error instanceof Error && 'code' in error && error.code === 'ERR_MODULE_NOT_FOUND'
    const remedy = isMissing
      ? 'it is not installed; add it with: npm install node-llama-cpp@3'
      : 'it cannot be loaded here; the cause says why'
    throw new Error(`A llama backend needs the package node-llama-cpp, and ${remedy}.`, { cause: error })
  }
}
