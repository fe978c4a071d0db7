import type { Socket } from 'node:net'
import { isIPv4 } from 'node:net'

/**
 * Where a connection came from, as the operating system says, and never a header. Drivers see IPv4 addresses alone, so
 * whoever comes from another one is nobody that could join: undefined.
 */
export function sourceAddress({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): string | undefined {
  const plain = remoteAddress.replace(/^::ffff:/i, '')
  return isIPv4(plain) ? plain : undefined
}
