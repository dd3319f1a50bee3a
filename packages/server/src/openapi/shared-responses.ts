export interface SharedResponses {
  /** What `components.responses` holds. */
  readonly named: Readonly<Record<string, object>>
  /** References to responses by status; the same response is there once. */
  share(shape: string, responses: Readonly<Record<number, object>>): Record<string, object>
}

/** Most routes fail in the same ways. Names are the shape and the status, with a number from the second of them on. */
export function sharedResponses(): SharedResponses {
  const named: Record<string, object> = {}
  const names = new Map<string, string>()
  const nameOf = (base: string, response: object): string => {
    const key = `${base} ${JSON.stringify(response)}`
    let name = names.get(key)
    for (let number = 1; name === undefined; number++) {
      const free = number === 1 ? base : `${base}_${number}`
      if (!Object.hasOwn(named, free)) name = free
    }
    names.set(key, name)
    named[name] = response
    return name
  }
  return {
    named,
    share(shape, responses) {
      const entries = Object.entries(responses).map(([status, response]) => [
        status,
        { $ref: `#/components/responses/${nameOf(`${shape}${status}`, response)}` },
      ])
      return Object.fromEntries(entries)
    },
  }
}
