import { join } from 'node:path'
import { newCertificateRequest } from '#libs/pki'
import { writeFileAtomic } from '#libs/processes'
import type { Telling } from './narrator.ts'
import type { Tenant } from './sign-up.ts'
import { operatorOf, type World } from './world.ts'

/** A client certificate in files. */
export interface ClientCertificate {
  readonly id: string
  readonly certificateFile: string
  readonly keyFile: string
  /** The tenant's managed CA, PEM: what a namespace has to trust. */
  readonly caPem: string
}

interface Issued {
  readonly id: string
  readonly certificate: string
  readonly privateKey?: string
  readonly caCertificate: string
}

/** The key is made here and stays here: only a request for its certificate goes to the operator. */
export async function certificateForOwnKey(
  world: World,
  tenant: Tenant,
  name: string,
  telling: Telling,
): Promise<ClientCertificate> {
  const { shown, running, api } = world
  const files = filesOf(tenant, name)
  const { csrPem, keyPem } = await newCertificateRequest(name)
  const bodyFile = join(tenant.directory, `${name}-request.json`)
  await writeFileAtomic(files.keyFile, keyPem, { mode: 0o600 })
  await writeFileAtomic(bodyFile, `${JSON.stringify({ commonName: name, csr: csrPem })}\n`, { mode: 0o644 })
  const issued = await api.call<Issued>(
    {
      method: 'POST',
      url: `${running.addresses.operator}/operator/v1/tenants/${tenant.id}/certificates`,
      identity: operatorOf(world),
      body: { file: bodyFile },
    },
    telling,
  )
  if (issued.privateKey !== undefined) throw new Error('a private key came back for a CSR')
  await writeFileAtomic(files.certificateFile, issued.certificate, { mode: 0o644 })
  telling.result(
    `${issued.id} for a CSR, as \`openssl req -new\` makes it; its key never leaves ${shown(files.keyFile)}`,
  )
  return { id: issued.id, ...files, caPem: issued.caCertificate }
}

/** The key is made by the product, and handed out in this answer alone. */
export async function certificateWithKey(
  world: World,
  tenant: Tenant,
  name: string,
  telling: Telling,
): Promise<ClientCertificate> {
  const { shown, running, api } = world
  const files = filesOf(tenant, name)
  const issued = await api.call<Issued>(
    {
      method: 'POST',
      url: `${running.addresses.operator}/operator/v1/tenants/${tenant.id}/certificates`,
      identity: operatorOf(world),
      body: { json: { commonName: name } },
      answerFile: join(tenant.directory, `${name}-answer.json`),
    },
    telling,
  )
  if (issued.privateKey === undefined) throw new Error('no private key came back')
  await writeFileAtomic(files.keyFile, issued.privateKey, { mode: 0o600 })
  await writeFileAtomic(files.certificateFile, issued.certificate, { mode: 0o644 })
  telling.result(`${issued.id} with a key made for the tenant and handed out once: ${shown(files.keyFile)} (0600)`)
  return { id: issued.id, ...files, caPem: issued.caCertificate }
}

function filesOf({ directory }: Tenant, name: string) {
  return { certificateFile: join(directory, `${name}.pem`), keyFile: join(directory, `${name}.key`) }
}
