import { once } from 'node:events'
import { type ClientHttp2Session, connect } from 'node:http2'
import { connect as connectTls } from 'node:tls'
import type { Caller } from './caller.ts'
import type { GrpcEndpoint } from './job.ts'

export async function http2Caller(endpoint: GrpcEndpoint, path: string, message: Uint8Array): Promise<Caller> {
  const session = await open(endpoint)
  const frame = Buffer.alloc(5 + message.length)
  frame.writeUInt32BE(message.length, 1)
  frame.set(message, 5)
  const headers = {
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...(endpoint.token === undefined ? {} : { authorization: `Bearer ${endpoint.token}` }),
  }
  return {
    call: () =>
      new Promise((resolve, reject) => {
        const stream = session.request(headers)
        let status: unknown
        let said: unknown
        const take = (fields: Readonly<Record<string, unknown>>): void => {
          status ??= fields['grpc-status']
          said ??= fields['grpc-message']
        }
        stream.on('response', take)
        stream.on('trailers', take)
        stream.on('error', reject)
        stream.on('close', () => (status === '0' ? resolve() : reject(new Error(`gRPC status ${status}: ${said}`))))
        stream.resume()
        stream.end(frame)
      }),
    close: () => session.destroy(),
  }
}

async function open({ host, port, tls }: GrpcEndpoint): Promise<ClientHttp2Session> {
  const session =
    tls === undefined
      ? connect(`http://${host}:${port}`)
      : connect(`https://${tls.serverName}`, {
          createConnection: () =>
            connectTls({
              host,
              port,
              servername: tls.serverName,
              ca: tls.caPem,
              ALPNProtocols: ['h2'],
              ...(tls.identity === undefined ? {} : { cert: tls.identity.certificatePem, key: tls.identity.keyPem }),
            }),
        })
  await once(session, 'connect')
  // A session that breaks fails its calls, which count.
  session.on('error', () => undefined)
  return session
}
