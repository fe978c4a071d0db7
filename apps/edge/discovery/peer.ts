import { TLSSocket } from 'node:tls'
import type { FastifyRequest } from 'fastify'
import { type NodeIdentity, nodeIdentity } from './node-identity.ts'

/** Who the connection's certificate says it is; it was verified in the handshake. */
export function nodeOf(request: FastifyRequest): NodeIdentity | undefined {
  const { socket } = request.raw
  return socket instanceof TLSSocket ? nodeIdentity(socket.getPeerCertificate()) : undefined
}
