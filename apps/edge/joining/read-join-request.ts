/** What a machine says that wants to become a node. None of it is believed as it stands. */
export interface JoinRequest {
  readonly token: string
  /** What the provider calls the machine. */
  readonly machineId: string
  /** PKCS#10, PEM. */
  readonly csr: string
}

const token = /^[0-9a-f]{64}$/
const machineId = /^[A-Za-z0-9-]{1,64}$/
const maxCsrLength = 4_096

/** Bytes of a whole request. */
export const joinBodyLimit = 8_192

/** Node ids in a path, as far as they can be ours. */
export const nodeIdPattern = /^[a-z0-9][a-z0-9-]{0,62}$/

/** @returns undefined for anything that no node of ours would send. */
export function readJoinRequest(value: unknown): JoinRequest | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  const fields = value as Readonly<Record<string, unknown>>
  if (Object.keys(fields).length !== 3) return undefined
  const { token: shown, machineId: machine, csr } = fields
  if (typeof shown !== 'string' || !token.test(shown)) return undefined
  if (typeof machine !== 'string' || !machineId.test(machine)) return undefined
  if (typeof csr !== 'string' || csr.length > maxCsrLength) return undefined
  return { token: shown, machineId: machine, csr }
}
