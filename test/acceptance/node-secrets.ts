import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { readJwt } from './jwt.ts'
import type { Namespace } from './namespace.ts'
import { productUnderTest } from './product-under-test.ts'

/** What lies on a node and nobody outside has. The tests steal it, to see what it is worth elsewhere. */
export interface NodeSecrets {
  /** The tokens with which the edge calls the cell for one namespace, by what they permit. */
  readonly tokens: Readonly<Record<'read' | 'write', string>>
  /** The key set that API keys are verified with: public, but nowhere published. */
  readonly apiKeySet: string
}

export async function stealSecrets({ id, host }: Namespace): Promise<NodeSecrets> {
  const folder = await nodeFolder(host)
  const routes = JSON.parse(readFileSync(join(folder, 'edge/routes.json'), 'utf8')) as { resources: { name: string }[] }
  const own = JSON.stringify(routes.resources.filter(({ name }) => name.startsWith(`${id}@`)))
  const found = [...new Set(own.match(/eyJ[\w-]+\.[\w-]+\.[\w-]+/g))]
  const permitting = (permission: string) =>
    found.find((token) => JSON.stringify(readJwt(token).payload).includes(`"${id}:${permission}"`)) ?? ''
  const listeners = readFileSync(join(folder, 'edge/lds.json'), 'utf8')
  const keySets = [...listeners.matchAll(/"local_jwks":\{"inline_string":("(?:[^"\\]|\\.)*")/g)]
  const texts = keySets.map(([, text]) => JSON.parse(text ?? '""') as string)
  const secrets = {
    tokens: { read: permitting('read'), write: permitting('write') },
    // The other key set of a chain is the probe's; both are alike to a thief.
    apiKeySet: texts.join('\n'),
  }
  if (secrets.tokens.read === '' || secrets.tokens.write === '') throw new Error(`no tokens for ${id} in ${folder}`)
  if (texts.length === 0) throw new Error(`no key sets in ${folder}`)
  return secrets
}

async function nodeFolder(address: string): Promise<string> {
  const nodes = join((await productUnderTest()).dataDirectory, 'nodes')
  for (const name of readdirSync(nodes).filter((entry) => entry.startsWith('node-'))) {
    const node = JSON.parse(readFileSync(join(nodes, name, 'node.json'), 'utf8')) as { address: string }
    if (node.address === address) return join(nodes, name)
  }
  throw new Error(`no node has the address ${address}`)
}
