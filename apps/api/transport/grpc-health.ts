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

// Objects, since grpc-js takes a falsy request, such as an empty name, for none.
interface HealthRequest {
  readonly service: string
}
interface HealthResponse {
  readonly status: number
}
type Check = ServerUnaryCall<HealthRequest, HealthResponse>
type Watch = ServerWritableStream<HealthRequest, HealthResponse>

const method = {
  requestSerialize: (request: HealthRequest) => Buffer.from(requestType.encode(request).finish()),
  requestDeserialize: (bytes: Buffer): HealthRequest => ({
    service: String(requestType.toObject(requestType.decode(bytes)).service ?? ''),
  }),
  responseSerialize: (response: HealthResponse) => Buffer.from(responseType.encode(response).finish()),
  responseDeserialize: (bytes: Buffer): HealthResponse => ({
    status: Number(responseType.toObject(responseType.decode(bytes)).status ?? 0),
  }),
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
      Check: (call: Check, callback: sendUnaryData<HealthResponse>) => {
        const status = this.#statusOf(call.request.service)
        if (status !== servingStatus.serviceUnknown) return callback(null, { status })
        return callback({ code: grpcStatus.NOT_FOUND, details: 'unknown service' })
      },
      Watch: (call: Watch) => {
        this.#watches.add(call)
        call.on('cancelled', () => {
          this.#watches.delete(call)
          call.end()
        })
        call.write({ status: this.#statusOf(call.request.service) })
      },
    })
  }

  /** Says no to everybody who asks, and ends every Watch, which would else keep the server from closing. */
  stop(): void {
    this.#serving = false
    for (const call of this.#watches) {
      call.write({ status: this.#statusOf(call.request.service) })
      call.end()
    }
    this.#watches.clear()
  }

  #statusOf(service: string): number {
    if (!this.#services.has(service)) return servingStatus.serviceUnknown
    return this.#serving ? servingStatus.serving : servingStatus.notServing
  }
}
