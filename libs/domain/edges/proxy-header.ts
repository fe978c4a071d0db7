import type { ProxyField } from './private-link.ts'

const signature = Buffer.from('\r\n\r\n\0\r\nQUIT\n', 'latin1')
const version2Proxy = 0x21
const tcpOverIpv4 = 0x11

/**
 * A PROXY protocol v2 header, as the load balancer before a private listener sends it ahead of a connection's own bytes.
 * The addresses in it are of no meaning here: what counts are the fields.
 */
export function proxyHeader(fields: readonly ProxyField[]): Buffer {
  const addresses = Buffer.from([127, 0, 0, 1, 127, 0, 0, 1, 0, 1, 0, 1])
  const encoded = fields.map(({ type, value }) => {
    const head = Buffer.alloc(3)
    head.writeUInt8(type)
    head.writeUInt16BE(value.length, 1)
    return Buffer.concat([head, value])
  })
  const body = Buffer.concat([addresses, ...encoded])
  const length = Buffer.alloc(2)
  length.writeUInt16BE(body.length)
  return Buffer.concat([signature, Buffer.of(version2Proxy, tcpOverIpv4), length, body])
}
