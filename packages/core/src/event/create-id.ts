/**
 * A UUID version 7 (RFC 9562): 48 bits of time, then chance, so that ids sort by their time. Not a secret.
 *
 * @param wallTimeMs milliseconds since 1970
 * @param random numbers from 0 up to 1, as Math.random gives them
 */
export function createId(wallTimeMs: number, random: () => number): string {
  const time = Math.trunc(wallTimeMs).toString(16).padStart(12, '0').slice(-12)
  const a = hex(random, 3)
  const variant = '89ab'[Math.floor(random() * 4)]
  const b = hex(random, 3)
  const c = hex(random, 6) + hex(random, 6)
  return `${time.slice(0, 8)}-${time.slice(8)}-7${a}-${variant}${b}-${c}`
}

const hex = (random: () => number, digits: number) =>
  Math.floor(random() * 16 ** digits)
    .toString(16)
    .padStart(digits, '0')
