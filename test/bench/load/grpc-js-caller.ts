import { type ChannelCredentials, Client, credentials, Metadata } from '@grpc/grpc-js'
import type { Caller } from './caller.ts'
import type { GrpcEndpoint, TurnsJob } from './job.ts'

export function grpcJsCaller(endpoint: GrpcEndpoint, { path, message }: Pick<TurnsJob, 'path' | 'message'>): Caller {
  const client = openGrpcClient(endpoint)
  const bytes = Buffer.from(message)
  const same = (value: Buffer): Buffer => value
  return {
    call: () =>
      new Promise((resolve, reject) => {
        client.makeUnaryRequest(path, same, same, bytes, metadataOf(endpoint), (error) =>
          error === null ? resolve() : reject(error),
        )
      }),
    close: () => client.close(),
  }
}

/** A connection of its own, made at the first call. */
export function openGrpcClient(endpoint: GrpcEndpoint): Client {
  const { host, port, tls } = endpoint
  return new Client(`${host}:${port}`, credentialsOf(endpoint), {
    'grpc.use_local_subchannel_pool': 1,
    'grpc.keepalive_time_ms': 30_000,
    ...(tls === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': tls.serverName, 'grpc.default_authority': tls.serverName }),
  })
}

export function metadataOf({ token }: GrpcEndpoint): Metadata {
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token}`)
  return metadata
}

function credentialsOf({ tls }: GrpcEndpoint): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure()
  const { caPem, identity } = tls
  return identity === undefined
    ? credentials.createSsl(Buffer.from(caPem))
    : credentials.createSsl(Buffer.from(caPem), Buffer.from(identity.keyPem), Buffer.from(identity.certificatePem))
}
