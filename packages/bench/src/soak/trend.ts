export interface Point {
  readonly x: number
  readonly y: number
}

/** A straight line through points, and how sure its slope is. */
export interface Trend {
  /** Of y for one x. */
  readonly slope: number
  /** Between them lies the true slope in 95 of 100 runs, if the points scatter around a line independently. */
  readonly low: number
  readonly high: number
  readonly count: number
}

/** Least squares. Fewer than three points, or points above one x, say nothing: the bounds are infinite. */
export function trendOf(points: readonly Point[]): Trend {
  const count = points.length
  const meanX = mean(points.map(({ x }) => x))
  const meanY = mean(points.map(({ y }) => y))
  const spread = sum(points.map(({ x }) => (x - meanX) ** 2))
  const slope = spread === 0 ? 0 : sum(points.map(({ x, y }) => (x - meanX) * (y - meanY))) / spread
  const degrees = count - 2
  if (degrees < 1 || spread === 0) {
    return { slope, low: Number.NEGATIVE_INFINITY, high: Number.POSITIVE_INFINITY, count }
  }
  const residues = sum(points.map(({ x, y }) => (y - meanY - slope * (x - meanX)) ** 2))
  const margin = studentQuantile(degrees) * Math.sqrt(residues / degrees / spread)
  return { slope, low: slope - margin, high: slope + margin, count }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0)
const mean = (values: readonly number[]): number => sum(values) / values.length

/** Up to five degrees of freedom the series is too far off. */
const FEW: readonly number[] = [12.706, 4.303, 3.182, 2.776, 2.571]
const NORMAL = 1.959964

/** The 97.5 % quantile of Student's distribution: Abramowitz and Stegun 26.7.5, three figures after the point. */
export function studentQuantile(degrees: number): number {
  const exact = FEW[degrees - 1]
  if (exact !== undefined) return exact
  const z = NORMAL
  const terms = [
    z,
    (z ** 3 + z) / 4,
    (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96,
    (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384,
  ]
  return sum(terms.map((term, power) => term / degrees ** power))
}
