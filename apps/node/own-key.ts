import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { NodeManifest } from '#libs/domain/nodes'

/** Below the node's folder: the key that the node made itself, which leaves the machine in no way. */
export const ownKeyFile = 'identity/key.pem'

/**
 * The manifest with the node's own key in the files that are to hold it.
 * @throws Error when it names such files and the node has no key of its own.
 */
export async function withOwnKey(dir: string, manifest: NodeManifest): Promise<NodeManifest> {
  const { ownKeyFiles = [] } = manifest
  if (ownKeyFiles.length === 0) return manifest
  let content: string
  try {
    content = await readFile(join(dir, ownKeyFile), 'utf8')
  } catch (thrown) {
    throw new Error('the manifest wants the node’s own key, and the node has none', { cause: thrown })
  }
  const own = ownKeyFiles.map((path) => ({ path, content, secret: true }))
  return { ...manifest, files: [...manifest.files, ...own] }
}
