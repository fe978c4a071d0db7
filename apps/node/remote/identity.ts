import { createPrivateKey, createPublicKey, X509Certificate } from 'node:crypto'
import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { EdgeSource } from '#libs/domain/nodes'
import { newCertificateRequest } from '#libs/pki'
import { writeFileAtomic } from '#libs/processes'
import { ownKeyFile } from '../own-key.ts'

/** Who the machine is since it joined, for ever. */
export interface Identity {
  readonly nodeId: string
  readonly cellId: string
  /** A copy of this folder on another machine is not the node. */
  readonly machineId: string
  readonly discoveryUrl: string
}

const folder = 'identity'
const identityFile = `${folder}/node.json`
const files = { caFile: `${folder}/ca.pem`, certificateFile: `${folder}/certificate.pem`, keyFile: ownKeyFile }

/** How the discovery server is asked in the node's name. */
export function identitySource({ discoveryUrl }: Identity): EdgeSource {
  return { url: discoveryUrl, ...files }
}

/** @returns undefined when the machine has not joined. */
export async function readIdentity(dir: string): Promise<Identity | undefined> {
  try {
    return JSON.parse(await readFile(join(dir, identityFile), 'utf8')) as Identity
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`${identityFile} cannot be read`, { cause: thrown })
  }
}

/**
 * A request for a certificate of the machine's one key, which is made at the first call and on disk before anybody is told
 * of it: whoever asks again, after whatever came between, asks with the same key.
 */
export async function certificateRequest(dir: string, nodeId: string): Promise<string> {
  await mkdir(join(dir, folder), { recursive: true, mode: 0o700 })
  const path = join(dir, ownKeyFile)
  const known = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  const { csrPem, keyPem } = await newCertificateRequest(nodeId, known)
  if (known === undefined) await writeFileAtomic(path, keyPem, { mode: 0o600, durable: true })
  return csrPem
}

/** @throws Error when the certificate is not of the machine's key, or is another node's. */
export async function writeIdentity(
  dir: string,
  identity: Identity,
  pem: { readonly chain: string; readonly ca: string },
): Promise<void> {
  const leaf = new X509Certificate(pem.chain)
  const own = createPublicKey(createPrivateKey(await readFile(join(dir, ownKeyFile))))
  if (!leaf.publicKey.equals(own)) throw new Error('the certificate is not of this machine’s key')
  const uri = `URI:aqueduct://cells/${identity.cellId}/nodes/${identity.nodeId}`
  if (!(leaf.subjectAltName ?? '').split(', ').includes(uri)) throw new Error(`the certificate is not for ${uri}`)
  await writeFileAtomic(join(dir, files.caFile), pem.ca, { mode: 0o644, durable: true })
  await writeFileAtomic(join(dir, files.certificateFile), pem.chain, { mode: 0o644, durable: true })
  // Last: from here on, the machine is the node.
  await writeFileAtomic(join(dir, identityFile), JSON.stringify(identity), { mode: 0o600, durable: true })
}
