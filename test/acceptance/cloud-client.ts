import type { CloudOperationsClient } from '@temporalio/cloud'
import { temporal } from '@temporalio/proto'
import { expect } from 'vitest'
import { until } from '../harness/until.ts'
import { cloudMethod } from './contract.ts'
import { productUnderTest } from './product-under-test.ts'

/** Every method of the Cloud Ops API, as npm `@temporalio/cloud` calls it. */
export type Cloud = CloudOperationsClient['cloudService']

type Operation = temporal.api.cloud.operation.v1.IAsyncOperation
interface Changed {
  readonly asyncOperation?: Operation | null
}

const { State } = temporal.api.cloud.operation.v1.AsyncOperation
const underWay: readonly unknown[] = [State.STATE_PENDING, State.STATE_IN_PROGRESS]

/** The codes of gRPC that the Cloud Ops API answers with. */
export const refusal = { invalid: 3, notFound: 5, exists: 6, denied: 7, precondition: 9, unauthenticated: 16 } as const

const clients: CloudOperationsClient[] = []

/** npm `@temporalio/cloud`, unmodified, over TLS. Say `closeClients` in the end. */
export async function cloudClient(apiKey: string): Promise<CloudOperationsClient> {
  const { addresses } = await productUnderTest()
  // The package takes no CA: this, or NODE_EXTRA_CA_CERTS, is read as soon as gRPC is loaded; hence the late import.
  process.env.GRPC_DEFAULT_SSL_ROOTS_FILE_PATH = addresses.caFile
  const { CloudOperationsClient, CloudOperationsConnection } = await import('@temporalio/cloud')
  const address = addresses.grpcTls.replace('127.0.0.1', 'localhost')
  const client = new CloudOperationsClient({ connection: await CloudOperationsConnection.connect({ address, apiKey }) })
  clients.push(client)
  return client
}

/** Its methods. */
export async function cloudOf(apiKey: string): Promise<Cloud> {
  return (await cloudClient(apiKey)).cloudService
}

export async function closeClients(): Promise<void> {
  for (const client of clients.splice(0)) await client.connection.close()
}

/**
 * Polls the operation of a change to its end, as every client does. It must be FULFILLED then, and say what was done in
 * all the fields that clients print.
 * @param rpc whose answer it is.
 */
export async function done(cloud: Cloud, rpc: string, changed: Changed | Promise<Changed>): Promise<Operation> {
  const { asyncOperation } = await changed
  const asyncOperationId = asyncOperation?.id ?? ''
  expect(asyncOperationId, rpc).not.toBe('')
  const ended = await until(
    `${rpc} ends`,
    async () => {
      const now = (await cloud.getAsyncOperation({ asyncOperationId })).asyncOperation
      return now === null || now === undefined || underWay.includes(now.state) ? undefined : now
    },
    60_000,
  )
  expect(ended).toMatchObject({
    id: asyncOperationId,
    state: State.STATE_FULFILLED,
    stateDeprecated: 'fulfilled',
    operationType: rpc,
    failureReason: '',
  })
  for (const filled of [ended.checkDuration, ended.startedTime, ended.finishedTime]) expect(filled).not.toBeNull()
  const { requestType } = cloudMethod(rpc)
  expect(ended.operationInput?.type_url).toBe(`type.googleapis.com/${requestType.fullName.slice(1)}`)
  requestType.decode(ended.operationInput?.value ?? Buffer.of())
  return ended
}

/** @param text what the message says, among other things. */
export async function refused(call: Promise<unknown>, code: number, text = ''): Promise<void> {
  await expect(call).rejects.toMatchObject({ code, details: expect.stringContaining(text) })
}

/** An update that sends what is there already. */
export async function nothingToChange(call: Promise<unknown>): Promise<void> {
  await refused(call, refusal.invalid, 'nothing to change')
}

/** All entries of a list, page by page. @param list one page; the contract calls the entries of each list otherwise. */
export async function everyPage<Page extends { readonly nextPageToken: string }, Entry>(
  list: (page: { readonly pageSize: number; readonly pageToken: string }) => Promise<Page>,
  entries: (page: Page) => readonly Entry[],
): Promise<readonly Entry[]> {
  const found: Entry[] = []
  const pageSize = 1
  let pageToken = ''
  do {
    const page = await list({ pageSize, pageToken })
    expect(entries(page).length).toBeLessThanOrEqual(pageSize)
    found.push(...entries(page))
    pageToken = page.nextPageToken
  } while (pageToken !== '')
  return found
}
