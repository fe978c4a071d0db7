/** What the machine was launched with: its user data. */
export interface LaunchData {
  readonly nodeId: string
  readonly cellId: string
  readonly joinUrls: readonly string[]
  readonly caPem: string
  readonly token: string
}

const id = /^[a-z0-9][a-z0-9-]{0,62}$/

/** @throws Error that says what is wrong; never with the content, which holds the token. */
export function readLaunchData(text: string): LaunchData {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    throw new Error('the user data is not JSON: the machine was not launched by a provisioner')
  }
  if (typeof value !== 'object' || value === null) throw new Error('the user data is not an object')
  const { nodeId, cellId, joinUrls, caPem, token } = value as Readonly<Record<string, unknown>>
  for (const [name, field] of Object.entries({ nodeId, cellId })) {
    if (typeof field !== 'string' || !id.test(field)) throw new Error(`${name} in the user data is no id`)
  }
  if (typeof caPem !== 'string' || !caPem.includes('BEGIN CERTIFICATE'))
    throw new Error('caPem in the user data is none')
  if (typeof token !== 'string' || token === '') throw new Error('there is no token in the user data')
  if (!Array.isArray(joinUrls) || joinUrls.length === 0 || !joinUrls.every(isHttps)) {
    throw new Error('joinUrls in the user data must be https URLs')
  }
  return { nodeId: String(nodeId), cellId: String(cellId), joinUrls, caPem, token }
}

function isHttps(url: unknown): boolean {
  return typeof url === 'string' && URL.parse(url)?.protocol === 'https:'
}
