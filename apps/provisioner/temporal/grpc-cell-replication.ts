import { randomUUID } from 'node:crypto'
import proto, { type temporal } from '@temporalio/proto'
import type { SeenOnCell, WorkState } from '#libs/domain/moves'
import { CellError } from './cell-client.ts'
import type { CellReplication } from './cell-replication.ts'
import { cellError } from './grpc-errors.ts'

const { WorkflowExecutionStatus, WorkflowIdReusePolicy, WorkflowIdConflictPolicy } = proto.temporal.api.enums.v1
/** Where the server's own workflows run, and whose workers do it. */
const systemNamespace = 'temporal-system'
const taskQueue = 'default-worker-tq'
/** Histories a second: gentle enough for the other tenants of both cells. */
const copiesPerSecond = 100
const verifyEverySeconds = 2
/** Seconds that the target may be behind before the tenant's calls are held up for the rest. */
const allowedLagSeconds = 10
/** Seconds for which the tenant's calls are held up at most; SDKs repeat them. */
const heldUpSeconds = 10

/** Over the cell's own API; its workflows for migrations do the work (service/worker/migration of the server). */
export class GrpcCellReplication implements CellReplication {
  readonly #workflow: temporal.api.workflowservice.v1.WorkflowService
  readonly #operator: temporal.api.operatorservice.v1.OperatorService

  constructor(
    workflow: temporal.api.workflowservice.v1.WorkflowService,
    operator: temporal.api.operatorservice.v1.OperatorService,
  ) {
    this.#workflow = workflow
    this.#operator = operator
  }

  async see(namespace: string): Promise<SeenOnCell> {
    try {
      const { replicationConfig: config } = await attempt(`describing the namespace ${namespace}`, () =>
        this.#workflow.describeNamespace({ namespace }),
      )
      const clusters = (config?.clusters ?? []).map(({ clusterName }) => clusterName ?? '')
      return { kind: 'present', clusters, active: config?.activeClusterName ?? '' }
    } catch (thrown) {
      if (thrown instanceof CellError && thrown.kind === 'not_found') return { kind: 'absent' }
      throw thrown
    }
  }

  async remotes(): Promise<readonly { readonly name: string; readonly address: string }[]> {
    const { clusters } = await attempt('listing clusters', () => this.#operator.listClusters({ pageSize: 1_000 }))
    return clusters
      .filter(({ isConnectionEnabled }) => isConnectionEnabled === true)
      .map(({ clusterName, address }) => ({ name: clusterName ?? '', address: address ?? '' }))
  }

  async addRemote(address: string): Promise<void> {
    await attempt(`connecting with the cell at ${address}`, () =>
      this.#operator.addOrUpdateRemoteCluster({
        frontendAddress: address,
        enableRemoteClusterConnection: true,
        enableReplication: true,
      }),
    )
  }

  async removeRemote(name: string): Promise<void> {
    const known = (await this.remotes()).some((remote) => remote.name === name)
    if (known) await attempt(`forgetting ${name}`, () => this.#operator.removeRemoteCluster({ clusterName: name }))
  }

  async promote(namespace: string): Promise<void> {
    const doing = `promoting the namespace ${namespace}`
    const { isGlobalNamespace } = await attempt(doing, () => this.#workflow.describeNamespace({ namespace }))
    if (isGlobalNamespace === true) return
    await attempt(doing, () => this.#workflow.updateNamespace({ namespace, promoteNamespace: true }))
  }

  async setClusters(namespace: string, clusters: readonly string[]): Promise<void> {
    await attempt(`naming the cells of ${namespace}`, () =>
      this.#workflow.updateNamespace({
        namespace,
        replicationConfig: { clusters: clusters.map((clusterName) => ({ clusterName })) },
      }),
    )
  }

  async startCopy(id: string, namespace: string, targetCluster: string): Promise<void> {
    await this.#start('force-replication', id, {
      Namespace: namespace,
      Query: '',
      ConcurrentActivityCount: 1,
      OverallRps: copiesPerSecond,
      EnableVerification: true,
      TargetClusterName: targetCluster,
      VerifyIntervalInSeconds: verifyEverySeconds,
    })
  }

  async startHandOver(id: string, namespace: string, targetCluster: string): Promise<void> {
    await this.#start('namespace-handover', id, {
      Namespace: namespace,
      RemoteCluster: targetCluster,
      AllowedLaggingSeconds: allowedLagSeconds,
      HandoverTimeoutSeconds: heldUpSeconds,
    })
  }

  async workState(workflowId: string): Promise<WorkState> {
    try {
      const { workflowExecutionInfo: info } = await attempt(`looking at ${workflowId}`, () =>
        this.#workflow.describeWorkflowExecution({ namespace: systemNamespace, execution: { workflowId } }),
      )
      switch (info?.status) {
        case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING:
        case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
          return 'running'
        case WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED:
          return 'completed'
        default:
          return 'failed'
      }
    } catch (thrown) {
      if (thrown instanceof CellError && thrown.kind === 'not_found') return 'none'
      throw thrown
    }
  }

  async #start(type: string, workflowId: string, input: object): Promise<void> {
    const payload = {
      metadata: { encoding: Buffer.from('json/plain') },
      data: Buffer.from(JSON.stringify(input)),
    }
    await attempt(`starting ${workflowId}`, () =>
      this.#workflow.startWorkflowExecution({
        namespace: systemNamespace,
        workflowId,
        workflowType: { name: type },
        taskQueue: { name: taskQueue },
        input: { payloads: [payload] },
        requestId: randomUUID(),
        identity: 'aqueduct',
        workflowIdReusePolicy: WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY,
        workflowIdConflictPolicy: WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING,
      }),
    )
  }
}

async function attempt<Answer>(doing: string, work: () => Promise<Answer>): Promise<Answer> {
  try {
    return await work()
  } catch (thrown) {
    throw cellError(doing, thrown)
  }
}
