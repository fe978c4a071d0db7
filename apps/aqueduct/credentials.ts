import { join } from 'node:path'
import type { OperatorCertificate } from '#libs/keyring'
import { writeFileAtomic } from '#libs/processes'

/** Files that people need to talk to the product. */
export interface Credentials {
  /** The CA of the API's and the edges' server certificates, for SSL_CERT_FILE and NODE_EXTRA_CA_CERTS. */
  readonly caFile: string
  /** An operator's client certificate and its key: the first one's, until somebody puts others there. */
  readonly operatorCertificateFile: string
  readonly operatorKeyFile: string
}

export function credentialsFolder(dataDirectory: string): string {
  return join(dataDirectory, 'credentials')
}

export function credentialsIn(dataDirectory: string): Credentials {
  const directory = credentialsFolder(dataDirectory)
  return {
    caFile: join(directory, 'ca.pem'),
    operatorCertificateFile: join(directory, 'operator.pem'),
    operatorKeyFile: join(directory, 'operator.key'),
  }
}

/** @throws Error when the certificate came without its key. */
export async function writeOperatorFiles(
  { operatorCertificateFile, operatorKeyFile }: Credentials,
  { certificatePem, keyPem }: OperatorCertificate,
): Promise<void> {
  if (keyPem === undefined) throw new Error('an operator certificate for files was made without its key')
  await writeFileAtomic(operatorKeyFile, keyPem, { mode: 0o600, durable: true })
  await writeFileAtomic(operatorCertificateFile, certificatePem, { mode: 0o644, durable: true })
}
