import { Client } from 'undici'
import { median } from '../numbers/statistics.ts'
import { FIRST_TOKEN, type Ship } from '../servers/fleet.ts'
import { sendCall } from '../servers/send-call.ts'

/** Median time of a plain request on one connection, in milliseconds. */
export function measureLatency({ url, plain }: Ship, requests: number): Promise<number> {
  return onOneConnection(url, requests, async (client) => (await sendCall(client, plain)).wholeMs)
}

/** Median time to the first token of a stream on one connection, in milliseconds; NaN for who cannot stream. */
export async function measureFirstToken({ url, stream }: Ship, requests: number): Promise<number> {
  if (!stream) return Number.NaN
  return onOneConnection(url, requests, async (client) => {
    const { markMs } = await sendCall(client, stream, { mark: FIRST_TOKEN })
    if (markMs === undefined) throw new Error(`${url} sent no token`)
    return markMs
  })
}

async function onOneConnection(
  url: string,
  requests: number,
  measure: (client: Client) => Promise<number>,
): Promise<number> {
  const client = new Client(url)
  // The first ones pay for the connection.
  for (let number = 0; number < 5; number++) await measure(client)
  const times: number[] = []
  for (let number = 0; number < requests; number++) times.push(await measure(client))
  await client.close()
  return median(times)
}
