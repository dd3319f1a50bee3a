const text = { type: 'string' }

/** Headers that answers of many routes have. */
export const HEADERS = {
  XRequestId: {
    description: 'The id of this request in the log: yours, or a new one.',
    required: true,
    schema: text,
  },
  RateLimit: {
    description: 'What is left of the limit: `"requests";r=59;t=1`.',
    required: false,
    schema: text,
  },
  RateLimitPolicy: { description: 'The limit: `"requests";q=60;w=60`.', required: false, schema: text },
}

const refTo = (name: keyof typeof HEADERS) => ({ $ref: `#/components/headers/${name}` })

export const COMMON_HEADERS = { 'X-Request-Id': refTo('XRequestId') }

/** Where requests are counted. A key may be without a limit. */
export const RATE_HEADERS = { RateLimit: refTo('RateLimit'), 'RateLimit-Policy': refTo('RateLimitPolicy') }
