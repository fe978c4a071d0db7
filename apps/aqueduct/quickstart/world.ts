import type { Running } from '../launch.ts'
import type { PublicApi } from './public-api.ts'

/** What the steps of the story work with: what anybody finds in the summary of the start, and nothing else. */
export interface World {
  readonly running: Running
  readonly api: PublicApi
  /** Where invitations lie that no mail server took. */
  readonly outboxDirectory: string
  /** Where the story keeps what its people were handed: a folder a tenant. */
  readonly directory: string
  /** How a path is written in a command. */
  readonly shown: (path: string) => string
  readonly signal: AbortSignal
}

/** The operator's client certificate. */
export function operatorOf({ running }: World): { readonly certificateFile: string; readonly keyFile: string } {
  const { operatorCertificateFile, operatorKeyFile } = running.credentials
  return { certificateFile: operatorCertificateFile, keyFile: operatorKeyFile }
}
