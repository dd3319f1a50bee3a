/** Which models the server has, and which name to send. */
export interface ModelNames {
  /** What a look at the server found. */
  learn(names: readonly string[]): void
  /** Undefined: nobody has looked yet. */
  offered(): readonly string[] | undefined
  /** Whether a name is needed and nobody has looked yet. */
  needsLook(wanted: string | undefined): boolean
  /** Undefined: none is known, and the server may have one of its own. */
  toSend(wanted: string | undefined): string | undefined
}

export interface ModelNamesOptions {
  /** Sent where the caller names none. */
  readonly model?: string | undefined
  /** Offered instead of what the server lists. */
  readonly models?: readonly string[] | undefined
}

/**
 * A server with one model takes any name, as KoboldCPP does, so it is sent its own: vLLM would refuse another one.
 * Where there is a choice, the caller's name goes out as it is.
 */
export function createModelNames({ model, models }: ModelNamesOptions): ModelNames {
  let known = models
  const only = () => (known?.length === 1 ? known[0] : undefined)
  return {
    learn(names) {
      known = models ?? names
    },
    offered: () => known,
    needsLook: (wanted) => wanted === undefined && model === undefined && known === undefined,
    toSend(wanted) {
      if (wanted === undefined) return model ?? only()
      return wanted === model ? wanted : (only() ?? wanted)
    },
  }
}
