import { Client, credentials, Metadata } from '@grpc/grpc-js'
import proto, { type temporal } from '@temporalio/proto'
import Long from 'long'
import {
  type CellClient,
  CellError,
  type CellNamespace,
  type CellNamespaceChange,
  type CellNexusEndpoint,
  type NewCellNamespace,
} from './cell-client.ts'
import type { CellReplication } from './cell-replication.ts'
import { GrpcCellReplication } from './grpc-cell-replication.ts'
import { cellError } from './grpc-errors.ts'

export interface GrpcCellClientOptions {
  /** `host:port` of a frontend of the cell: plain HTTP/2. */
  readonly target: string
  /** A token of the cell with `temporal-system:admin`, asked for before each call. */
  readonly token: () => Promise<string>
  /** Milliseconds that one call may take. */
  readonly timeoutMs?: number
}

const { WorkflowService } = proto.temporal.api.workflowservice.v1
const { OperatorService } = proto.temporal.api.operatorservice.v1
const { NamespaceState, TaskQueueType } = proto.temporal.api.enums.v1
const workflowTasks = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
const daySeconds = 86_400
const pageSize = 1_000
const endpointPageSize = 100
const serverNamespace = 'temporal-system'
const serverNamespaces = new Set([serverNamespace])
/** Of a task queue and a workflow that are asked for and never made. */
const probedName = 'aqueduct-probe'

/**
 * The cell's frontend over gRPC. No call is repeated here: reconcilers come again, and a connection heals by itself.
 * On grpc-js and the generated classes directly, since `@temporalio/client` would repeat calls inside.
 */
export class GrpcCellClient implements CellClient {
  readonly #client: Client
  readonly #options: GrpcCellClientOptions
  readonly #workflow: temporal.api.workflowservice.v1.WorkflowService
  readonly #operator: temporal.api.operatorservice.v1.OperatorService
  readonly replication: CellReplication

  constructor(options: GrpcCellClientOptions) {
    this.#options = options
    this.#client = new Client(options.target, credentials.createInsecure(), {
      // A cell that was restarted is found again within this time, not after grpc-js' growing pause of up to 120 s.
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.keepalive_time_ms': 30_000,
      'grpc.max_receive_message_length': 64 * 1024 * 1024,
      // Two clients of one target are two connections: closing one must not disturb the other.
      'grpc.use_local_subchannel_pool': 1,
    })
    this.#workflow = WorkflowService.create(this.#calling('temporal.api.workflowservice.v1.WorkflowService'))
    this.#operator = OperatorService.create(this.#calling('temporal.api.operatorservice.v1.OperatorService'))
    this.replication = new GrpcCellReplication(this.#workflow, this.#operator)
  }

  async health(): Promise<void> {
    await attempt('asking the cell for its health', () => this.#workflow.getSystemInfo({}))
  }

  async probe(): Promise<{ readonly serverVersion: string }> {
    const { serverVersion } = await attempt('asking the cell for its version', () => this.#workflow.getSystemInfo({}))
    const taskQueue = { name: probedName }
    await attempt('asking the cell for a task queue', () =>
      this.#workflow.describeTaskQueue({ namespace: serverNamespace, taskQueue, taskQueueType: workflowTasks }),
    )
    try {
      await attempt('asking the cell for a workflow', () =>
        this.#workflow.describeWorkflowExecution({ namespace: serverNamespace, execution: { workflowId: probedName } }),
      )
    } catch (thrown) {
      // There is none of that name: history has looked.
      if (!(thrown instanceof CellError && thrown.kind === 'not_found')) throw thrown
    }
    return { serverVersion }
  }

  async registerNamespace(namespace: NewCellNamespace): Promise<void> {
    await attempt(`registering the namespace ${namespace.name}`, () =>
      this.#workflow.registerNamespace({
        namespace: namespace.name,
        description: namespace.description,
        data: { ...namespace.data },
        workflowExecutionRetentionPeriod: days(namespace.retentionDays),
      }),
    )
  }

  async describeNamespace(name: string): Promise<CellNamespace> {
    const doing = `describing the namespace ${name}`
    return cellNamespace(await attempt(doing, () => this.#workflow.describeNamespace({ namespace: name })))
  }

  async updateNamespace(name: string, change: CellNamespaceChange): Promise<void> {
    const { retentionDays, description, data, aliases } = change
    // The description is replaced by whatever comes, also by nothing.
    const kept = description ?? (await this.describeNamespace(name)).description
    await attempt(`updating the namespace ${name}`, () =>
      this.#workflow.updateNamespace({
        namespace: name,
        updateInfo: { description: kept, ...(data === undefined ? {} : { data: { ...data } }) },
        config: {
          ...(retentionDays === undefined ? {} : { workflowExecutionRetentionTtl: days(retentionDays) }),
          ...(aliases === undefined ? {} : { customSearchAttributeAliases: { ...aliases } }),
        },
      }),
    )
  }

  async deleteNamespace(name: string): Promise<void> {
    try {
      await attempt(`deleting the namespace ${name}`, () => this.#operator.deleteNamespace({ namespace: name }))
    } catch (thrown) {
      // The server calls a missing namespace an invalid argument here, as it calls much else: so it is asked.
      if (thrown instanceof CellError && thrown.kind === 'invalid') await this.describeNamespace(name)
      throw thrown
    }
  }

  async listNamespaces(): Promise<readonly CellNamespace[]> {
    const found: CellNamespace[] = []
    let nextPageToken: Uint8Array = new Uint8Array()
    do {
      const token = nextPageToken
      const page = await attempt('listing namespaces', () =>
        this.#workflow.listNamespaces({ pageSize, nextPageToken: token }),
      )
      found.push(...page.namespaces.map(cellNamespace))
      nextPageToken = page.nextPageToken
    } while (nextPageToken.length > 0)
    return found.filter((namespace) => !serverNamespaces.has(namespace.name))
  }

  async registerNexusEndpoint({ name, url }: { readonly name: string; readonly url: string }): Promise<void> {
    await attempt(`registering the Nexus endpoint ${name}`, () =>
      this.#operator.createNexusEndpoint({ spec: { name, target: { external: { url } } } }),
    )
  }

  async deleteNexusEndpoint(name: string): Promise<void> {
    const [found] = await this.#nexusEndpoints(name)
    if (found === undefined) throw new CellError('not_found', `there is no Nexus endpoint ${name}`)
    await attempt(`deleting the Nexus endpoint ${name}`, () =>
      this.#operator.deleteNexusEndpoint({ id: found.id, version: Long.fromNumber(found.version) }),
    )
  }

  async listNexusEndpoints(): Promise<readonly CellNexusEndpoint[]> {
    return this.#nexusEndpoints('')
  }

  /** @param name exact; empty: all. */
  async #nexusEndpoints(name: string): Promise<readonly CellNexusEndpoint[]> {
    const found: CellNexusEndpoint[] = []
    let nextPageToken: Uint8Array = new Uint8Array()
    do {
      const token = nextPageToken
      const page = await attempt('listing Nexus endpoints', () =>
        this.#operator.listNexusEndpoints({ name, pageSize: endpointPageSize, nextPageToken: token }),
      )
      found.push(...page.endpoints.map(cellNexusEndpoint))
      nextPageToken = page.nextPageToken
    } while (nextPageToken.length > 0)
    return found
  }

  close(): void {
    this.#client.close()
  }

  /** What the generated classes call with the bytes of a request. */
  #calling(service: string): (method: { name: string }, request: Uint8Array, done: Done) => void {
    return (method, request, done) => {
      this.#call(`/${service}/${method.name}`, request, done).catch((error: unknown) => done(error as Error, null))
    }
  }

  async #call(path: string, request: Uint8Array, done: Done): Promise<void> {
    const metadata = new Metadata()
    metadata.set('authorization', `Bearer ${await this.#options.token()}`)
    const deadline = Date.now() + (this.#options.timeoutMs ?? 10_000)
    this.#client.makeUnaryRequest(path, asBuffer, asBytes, request, metadata, { deadline }, (error, answer) =>
      error === null ? done(null, answer ?? new Uint8Array()) : done(error, null),
    )
  }
}

type Done = (error: Error | null, answer: Uint8Array | null) => void

async function attempt<Answer>(doing: string, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (thrown) {
    throw cellError(doing, thrown)
  }
}

function cellNamespace(answer: temporal.api.workflowservice.v1.IDescribeNamespaceResponse): CellNamespace {
  const { namespaceInfo: info, config } = answer
  return {
    id: info?.id ?? '',
    name: info?.name ?? '',
    state: namespaceState(info?.state),
    retentionDays: Number(config?.workflowExecutionRetentionTtl?.seconds ?? 0) / daySeconds,
    description: info?.description ?? '',
    data: { ...info?.data },
    aliases: { ...config?.customSearchAttributeAliases },
  }
}

function cellNexusEndpoint({ id, version, spec }: temporal.api.nexus.v1.IEndpoint): CellNexusEndpoint {
  return {
    id: id ?? '',
    version: Number(version ?? 0),
    name: spec?.name ?? '',
    url: spec?.target?.external?.url ?? '',
  }
}

function namespaceState(state: temporal.api.enums.v1.NamespaceState | null | undefined): CellNamespace['state'] {
  if (state === NamespaceState.NAMESPACE_STATE_DELETED) return 'deleted'
  return state === NamespaceState.NAMESPACE_STATE_DEPRECATED ? 'deprecated' : 'registered'
}

function days(count: number): { seconds: Long } {
  return { seconds: Long.fromNumber(count * daySeconds) }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function asBytes(buffer: Buffer): Uint8Array {
  return buffer
}
