import { invalidField } from '#libs/base'
import { cloud, type temporal } from '#libs/cloud-api'
import type { TenantRow } from '#libs/store/tenants'
import type { HandlersOf } from '../operations/wire.ts'

export type AccountHandlers = HandlersOf<'GetAccount' | 'UpdateAccount'>

type WireSpec = temporal.api.cloud.account.v1.IAccountSpec

/** The field that a client CA comes in. */
export const metricsCaField = 'spec.metrics.accepted_client_ca'

/**
 * The client CA of the account's metrics, byte for byte; empty: metrics are off. Terraform says so by leaving them out, the
 * cloud CLI by an empty CA once the last certificate is taken away.
 * @throws AppError `invalid`
 */
export function metricsCaFromWire(wire: WireSpec | null | undefined): string {
  if (wire === null || wire === undefined) throw invalidField('spec', 'must be given')
  const bytes = Buffer.from(wire.metrics?.acceptedClientCa ?? [])
  const text = bytes.toString('utf8')
  if (!Buffer.from(text, 'utf8').equals(bytes) || text.includes('\0'))
    throw invalidField(metricsCaField, 'is not PEM text')
  return text
}

/**
 * `metrics` beside the spec says where the account's metrics are found, and is there exactly while they are on: Terraform
 * takes metrics without an address for switched off. Who is suspended gets no answer at all.
 * @param domain the DNS domain that namespaces have their names below.
 */
export function accountToWire(tenant: TenantRow, domain: string): temporal.api.cloud.account.v1.IAccount {
  const { id, metrics_client_ca: ca } = tenant
  const isOn = ca !== ''
  return {
    id,
    spec: isOn ? { metrics: { acceptedClientCa: Buffer.from(ca, 'utf8') } } : {},
    ...(isOn ? { metrics: { uri: `https://${id}.${domain}/prometheus` } } : {}),
    resourceVersion: String(tenant.resource_version),
    state: cloud.resource.v1.ResourceState.RESOURCE_STATE_ACTIVE,
  }
}
