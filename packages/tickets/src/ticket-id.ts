import { randomBytes } from 'node:crypto'

/** A new id `tkt_` + UUID version 7 (RFC 9562): sorts by its time, and nobody can guess it. */
export function createTicketId(wallTimeMs: number): string {
  const bytes = randomBytes(16)
  bytes.writeUIntBE(Math.trunc(wallTimeMs), 0, 6)
  bytes.writeUInt8(0x70 | (bytes.readUInt8(6) & 0x0f), 6)
  bytes.writeUInt8(0x80 | (bytes.readUInt8(8) & 0x3f), 8)
  const hex = bytes.toString('hex')
  const parts = [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)]
  return `tkt_${parts.join('-')}`
}
