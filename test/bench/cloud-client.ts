import { Client, credentials, Metadata } from '@grpc/grpc-js'
import { cloud, fromJson, type RpcName, type RpcRequest, type RpcResponse, rpcNamed } from '#libs/cloud-api'
import type { Product } from '../harness/product.ts'
import type { Tenant } from './tenant.ts'

export interface CreatedNamespace {
  readonly namespaceId: string
  readonly operationId: string
}

/** The few calls of the Cloud Ops API that the bench makes, over one transport. */
export interface CloudClient {
  createNamespace(name: string): Promise<CreatedNamespace>
  /** @throws Error when it failed. */
  isFulfilled(operationId: string): Promise<boolean>
  close(): void
}

const { State } = cloud.operation.v1.AsyncOperation

const region = 'aws-us-east-1'

export function restCloudClient({ addresses }: Product, tenant: Tenant): CloudClient {
  const call = async (method: string, path: string, body?: object) => {
    const response = await fetch(`${addresses.http}${path}`, {
      method,
      headers: { authorization: `Bearer ${tenant.token}`, 'content-type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const answer: unknown = await response.json()
    if (!response.ok) throw new Error(`${method} ${path} answered ${response.status}: ${JSON.stringify(answer)}`)
    return answer as object
  }
  return {
    createNamespace: async (name) => {
      const { acceptedClientCa, ...mtlsAuth } = specOf(name, tenant).mtlsAuth
      const spec = {
        ...specOf(name, tenant),
        mtlsAuth: { ...mtlsAuth, acceptedClientCa: acceptedClientCa.toString('base64') },
      }
      const answer = await call('POST', '/cloud/namespaces', { spec })
      return created(fromJson(rpcNamed('CreateNamespace').responseType, answer) as RpcResponse<'CreateNamespace'>)
    },
    isFulfilled: async (operationId) => {
      const answer = await call('GET', `/cloud/operations/${operationId}`)
      return fulfilled(fromJson(rpcNamed('GetAsyncOperation').responseType, answer) as RpcResponse<'GetAsyncOperation'>)
    },
    close: () => undefined,
  }
}

export function grpcCloudClient({ addresses }: Product, tenant: Tenant): CloudClient {
  const client = new Client(addresses.grpc, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${tenant.token}`)
  const call = <Name extends RpcName>(rpc: Name, request: RpcRequest<Name>): Promise<RpcResponse<Name>> => {
    const { grpcPath, requestType, responseType } = rpcNamed(rpc)
    return new Promise((resolve, reject) => {
      client.makeUnaryRequest<object, object>(
        grpcPath,
        (message) => Buffer.from(requestType.encode(message).finish()),
        (bytes) => responseType.decode(bytes),
        request as object,
        metadata,
        (error, response) => (error === null ? resolve(response as RpcResponse<Name>) : reject(error)),
      )
    })
  }
  return {
    createNamespace: async (name) => created(await call('CreateNamespace', { spec: specOf(name, tenant) })),
    isFulfilled: async (asyncOperationId) => fulfilled(await call('GetAsyncOperation', { asyncOperationId })),
    close: () => client.close(),
  }
}

function specOf(name: string, tenant: Tenant) {
  return {
    name,
    regions: [region],
    retentionDays: 1,
    mtlsAuth: { enabled: true, acceptedClientCa: Buffer.from(tenant.caPem) },
    apiKeyAuth: { enabled: true },
  }
}

function created({ namespace, asyncOperation }: RpcResponse<'CreateNamespace'>): CreatedNamespace {
  return { namespaceId: namespace ?? '', operationId: asyncOperation?.id ?? '' }
}

function fulfilled({ asyncOperation }: RpcResponse<'GetAsyncOperation'>): boolean {
  const { id, state, failureReason } = asyncOperation ?? {}
  if (state === State.STATE_FULFILLED) return true
  if (state === State.STATE_PENDING || state === State.STATE_IN_PROGRESS) return false
  throw new Error(`the operation ${id} ended in state ${state}: ${failureReason}`)
}
