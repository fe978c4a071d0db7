import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import { highestPace, type PaceOverrides } from '#libs/domain/tenants'
import type { Product } from '../harness/product.ts'

/** A customer of the installation, let in as every other. */
export interface Tenant {
  readonly id: string
  /** An API key of the account's owner. */
  readonly token: string
  /** The CA that is managed for it, and a client certificate of that CA. */
  readonly caPem: string
  readonly identity: { readonly certificatePem: string; readonly keyPem: string }
}

/** So much that nothing is refused: what is measured is how fast we are, and not how fast a tenant may be. */
export const unlimited: PaceOverrides = {
  requestsPerSecond: highestPace,
  userRequestsPerSecond: highestPace,
  serviceAccountRequestsPerSecond: highestPace,
  operationsInFlight: highestPace,
}

/** Waitlist, approval, invitation, certificate. @param pace as by default when it is undefined */
export async function joinAsTenant(
  { addresses, dataDirectory }: Product,
  pace: PaceOverrides | undefined,
): Promise<Tenant> {
  const operator = operatorClient(addresses)
  const application = { email: `bench-${randomUUID()}@example.test`, company: 'Bench', useCase: 'measuring' }
  const { id: entryId } = await post(`${addresses.http}/v1/waitlist`, application)
  await operator(`/operator/v1/waitlist/${entryId}/approve`)
  const token = invitationToken(join(dataDirectory, 'outbox'))
  const accepted = (await post(`${addresses.http}/v1/invitations/accept`, { token })) as unknown as {
    readonly tenant: { readonly id: string }
    readonly apiKey: { readonly token: string }
  }
  const { id } = accepted.tenant
  if (pace !== undefined) await operator(`/operator/v1/tenants/${id}/limits`, pace)
  const issued = await operator(`/operator/v1/tenants/${id}/certificates`, { commonName: 'bench' })
  return {
    id,
    token: accepted.apiKey.token,
    caPem: text(issued, 'caCertificate'),
    identity: { certificatePem: text(issued, 'certificate'), keyPem: text(issued, 'privateKey') },
  }
}

type Json = Readonly<Record<string, unknown>>

async function post(url: string, body: Json): Promise<Json> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  const answer = (await response.json()) as Json
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${JSON.stringify(answer)}`)
  return answer
}

function operatorClient(addresses: Product['addresses']): (path: string, body?: object) => Promise<Json> {
  const tls = {
    ca: readFileSync(addresses.caFile),
    cert: readFileSync(addresses.operatorCertificateFile),
    key: readFileSync(addresses.operatorKeyFile),
  }
  return (path, body) =>
    new Promise((resolve, reject) => {
      const call = request(
        `${addresses.operator}${path}`,
        { ...tls, agent: false, method: 'POST', headers: { 'content-type': 'application/json' } },
        (response) => {
          const chunks: Buffer[] = []
          response.on('data', (chunk: Buffer) => chunks.push(chunk))
          response.on('end', () => {
            const answer = Buffer.concat(chunks).toString('utf8')
            if (response.statusCode === 200) resolve(JSON.parse(answer) as Json)
            else reject(new Error(`${path} answered ${response.statusCode}: ${answer}`))
          })
        },
      )
      call.on('error', reject)
      call.end(body === undefined ? '' : JSON.stringify(body))
    })
}

/** From the newest mail: this product has no mail server. */
function invitationToken(outbox: string): string {
  const newest = readdirSync(outbox)
    .filter((name) => name.endsWith('.eml'))
    .toSorted()
    .at(-1)
  const mail = newest === undefined ? '' : readFileSync(join(outbox, newest), 'utf8')
  const token = /#token=(\S+)/.exec(mail)?.[1]
  if (token === undefined) throw new Error('there is no invitation in the outbox')
  return token
}

function text(answer: Json, field: string): string {
  const value = answer[field]
  if (typeof value !== 'string') throw new Error(`the answer has no ${field}`)
  return value
}
