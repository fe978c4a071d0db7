import type { Server, Socket } from 'node:net'
import { Allowance } from '../allowance.ts'
import { sourceAddress } from './source-address.ts'

/** Connections of one address that are open at once. */
const maxOpen = 8
const opened = { burst: 20, perSecond: 2 }

/**
 * Closes what one address opens too many of, before a handshake costs anything: the connections of the others are not
 * touched by it. `onRefusal` is told of each.
 */
export function guardConnections(server: Server, onRefusal: () => void): void {
  const allowance = new Allowance(opened)
  const open = new Map<string, number>()
  server.on('connection', (socket: Socket) => {
    const address = sourceAddress(socket)
    const count = address === undefined ? maxOpen : (open.get(address) ?? 0)
    if (address === undefined || count >= maxOpen || !allowance.take(address, 1, performance.now())) {
      onRefusal()
      socket.destroy()
      return
    }
    open.set(address, count + 1)
    socket.once('close', () => {
      const left = (open.get(address) ?? 1) - 1
      if (left > 0) open.set(address, left)
      else open.delete(address)
    })
  })
}
