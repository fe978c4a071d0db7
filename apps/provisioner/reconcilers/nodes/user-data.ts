import { joinToken } from '#libs/keyring'
import type { Sealer } from '#libs/sealing'

/** What a machine is told at its launch, and all that it is told. It is readable by whoever may describe the machine. */
export interface UserData {
  readonly nodeId: string
  readonly cellId: string
  /** Base URLs of join listeners, `https://…:7097`: any of them will do. */
  readonly joinUrls: readonly string[]
  /** What those, and the discovery server, are verified with. */
  readonly caPem: string
  /** Of use to one machine, for a short time, once. */
  readonly token: string
}

/** EC2's own limit, before its encoding. */
const maxBytes = 16 * 1024

/** The same text for the same node. @throws Error when it is larger than any machine can be given. */
export function renderUserData(sealer: Sealer, user: Omit<UserData, 'token'>): string {
  const { nodeId, cellId, joinUrls, caPem } = user
  const data: UserData = { nodeId, cellId, joinUrls, caPem, token: joinToken(sealer, nodeId) }
  const text = JSON.stringify(data)
  const bytes = Buffer.byteLength(text)
  if (bytes > maxBytes) {
    throw new Error(
      `user data has ${bytes} bytes, and ${maxBytes} are possible: name fewer joinUrls in AQUEDUCT_REGIONS`,
    )
  }
  return text
}
