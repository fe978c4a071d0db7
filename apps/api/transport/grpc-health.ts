import {
  status as grpcStatus,
  type Server,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
} from '@grpc/grpc-js'
import protobuf from 'protobufjs/light.js'

const root = protobuf.Root.fromJSON({
  nested: {
    Request: { fields: { service: { type: 'string', id: 1 } } },
    Response: { fields: { status: { type: 'int32', id: 1 } } },
  },
})
const requestType = root.lookupType('Request')
const responseType = root.lookupType('Response')

/** The numbers of `grpc.health.v1.HealthCheckResponse.ServingStatus`. */
const servingStatus = { serving: 1, notServing: 2, serviceUnknown: 3 } as const

type Check = ServerUnaryCall<string, number>
type Watch = ServerWritableStream<string, number>

const method = {
  requestSerialize: (service: string) => Buffer.from(requestType.encode({ service }).finish()),
  requestDeserialize: (bytes: Buffer) => String(requestType.toObject(requestType.decode(bytes)).service ?? ''),
  responseSerialize: (status: number) => Buffer.from(responseType.encode({ status }).finish()),
  responseDeserialize: (bytes: Buffer) => Number(responseType.toObject(responseType.decode(bytes)).status ?? 0),
}

/** `grpc.health.v1.Health`: small enough to write down, and needed by load balancers and by npm @temporalio/cloud. */
export const healthService = {
  Check: { path: '/grpc.health.v1.Health/Check', requestStream: false, responseStream: false, ...method },
  Watch: { path: '/grpc.health.v1.Health/Watch', requestStream: false, responseStream: true, ...method },
} as const

/** Whether this process takes calls. */
export class GrpcHealth {
  readonly #services: ReadonlySet<string>
  readonly #watches = new Set<Watch>()
  #serving = true

  /** @param services full names that Check knows; the empty name, the server itself, is always known. */
  constructor(services: readonly string[]) {
    this.#services = new Set(['', ...services])
  }

  addTo(server: Server): void {
    server.addService(healthService, {
      Check: (call: Check, callback: sendUnaryData<number>) => {
        const status = this.#statusOf(call.request)
        if (status !== servingStatus.serviceUnknown) return callback(null, status)
        return callback({ code: grpcStatus.NOT_FOUND, details: 'unknown service' })
      },
      Watch: (call: Watch) => {
        this.#watches.add(call)
        call.on('cancelled', () => {
          this.#watches.delete(call)
          call.end()
        })
        call.write(this.#statusOf(call.request))
      },
    })
  }

  /** Says no to everybody who asks, and ends every Watch, which would else keep the server from closing. */
  stop(): void {
    this.#serving = false
    for (const call of this.#watches) {
      call.write(this.#statusOf(call.request))
      call.end()
    }
    this.#watches.clear()
  }

  #statusOf(service: string): number {
    if (!this.#services.has(service)) return servingStatus.serviceUnknown
    return this.#serving ? servingStatus.serving : servingStatus.notServing
  }
}
