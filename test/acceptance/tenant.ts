import { randomBytes } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { CloudApi } from './cloud-api.ts'
import { http, type Identity } from './http.ts'
import { operator } from './operator.ts'
import { productUnderTest } from './product-under-test.ts'

export interface Tenant {
  readonly id: string
  readonly userId: string
  readonly email: string
  /** The first key, which the invitation was exchanged for. */
  readonly keyId: string
  /** With that key, of the account's owner. */
  readonly api: CloudApi
}

interface Accepted {
  readonly tenant: { readonly id: string }
  readonly user: { readonly id: string }
  readonly apiKey: { readonly id: string; readonly token: string }
}

/** The whole way in: waitlist, the operator's approval, the mail, the invitation accepted. */
export async function signUp(company: string): Promise<Tenant> {
  const { addresses, ca } = await productUnderTest()
  const email = `${company.toLowerCase()}-${randomBytes(4).toString('hex')}@example.com`
  const application = { email, company, useCase: 'to try it' }
  const joined = await http(`${addresses.https}/v1/waitlist`, { method: 'POST', body: application, ca })
  if (joined.status !== 200) throw new Error(`waitlist: ${joined.status} ${joined.text}`)
  await operator('POST', `/waitlist/${joined.json.id}/approve`)
  const token = await invitationToken(email)
  const accepted = await http(`${addresses.https}/v1/invitations/accept`, { method: 'POST', body: { token }, ca })
  if (accepted.status !== 200) throw new Error(`invitation: ${accepted.status} ${accepted.text}`)
  const { tenant, user, apiKey } = accepted.json as unknown as Accepted
  // Tests ask for much at once; what the limits do is a test of its own.
  const much = 100_000
  await operator('POST', `/tenants/${tenant.id}/limits`, {
    requestsPerSecond: much,
    userRequestsPerSecond: much,
    serviceAccountRequestsPerSecond: much,
    operationsInFlight: much,
  })
  return { id: tenant.id, userId: user.id, email, keyId: apiKey.id, api: new CloudApi(apiKey.token) }
}

/** The token of the last invitation that went out to an address. */
export async function invitationToken(email: string): Promise<string> {
  const folder = join((await productUnderTest()).dataDirectory, 'outbox')
  const mails = readdirSync(folder)
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
  const token = /#token=(\S+)/.exec(mails.findLast((mail) => mail.includes(`To: ${email}\n`)) ?? '')?.[1]
  if (token === undefined) throw new Error(`no invitation for ${email} in ${folder}`)
  return token
}

export interface IssuedCertificate {
  readonly id: string
  readonly certificate: string
  /** Only when it was made by the product. */
  readonly privateKey?: string
  readonly caCertificate: string
}

/** A client certificate from the tenant's managed CA, with a key made by the product; and that CA. */
export async function issueCertificate(
  tenant: Tenant,
  commonName: string,
): Promise<Identity & { readonly id: string; readonly ca: string }> {
  const issued = await operator<IssuedCertificate>('POST', `/tenants/${tenant.id}/certificates`, { commonName })
  const { id, certificate, privateKey: key, caCertificate: ca } = issued
  if (key === undefined) throw new Error('a certificate without its key')
  return { id, certificate, key, ca }
}

export interface ApiKey {
  readonly id: string
  readonly token: string
  readonly path: string
}

/** A new API key of the tenant's first user, or of a service account. @param livesMs until it expires */
export async function createKey(
  tenant: Tenant,
  owner?: { readonly serviceAccountId: string },
  livesMs = 3_600_000,
): Promise<ApiKey> {
  const created = await tenant.api.post<{ keyId: string; token: string }>('/cloud/api-keys', {
    spec: {
      ownerId: owner?.serviceAccountId ?? tenant.userId,
      ownerType: owner === undefined ? 'OWNER_TYPE_USER' : 'OWNER_TYPE_SERVICE_ACCOUNT',
      displayName: 'made by a test',
      expiryTime: new Date(Date.now() + livesMs).toISOString(),
    },
  })
  return { id: created.keyId, token: created.token, path: `/cloud/api-keys/${created.keyId}` }
}

export interface ServiceAccount {
  readonly serviceAccountId: string
  readonly path: string
}

/** A service account with the account role `read`, and permissions by namespace. */
export async function createServiceAccount(
  tenant: Tenant,
  name: string,
  access: Readonly<Record<string, Permission>> = {},
): Promise<ServiceAccount> {
  const { serviceAccountId } = await tenant.api.post<{ serviceAccountId: string }>('/cloud/service-accounts', {
    spec: { name, access: accessOf(access) },
  })
  return { serviceAccountId, path: `/cloud/service-accounts/${serviceAccountId}` }
}

export type Permission = 'READ' | 'WRITE' | 'ADMIN'

/** `Access` of the contract: account role `read`, and permissions by namespace. */
export function accessOf(access: Readonly<Record<string, Permission>>): object {
  return {
    accountAccess: { role: 'ROLE_READ' },
    namespaceAccesses: Object.fromEntries(
      Object.entries(access).map(([id, permission]) => [id, { permission: `PERMISSION_${permission}` }]),
    ),
  }
}
