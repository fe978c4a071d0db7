import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { issueOperatorCertificate, openAuthority, openSigningKey } from '#libs/keyring'
import { writeFileAtomic } from '#libs/processes'
import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'

/** What the step between migrations and the first process gets. */
export interface BootstrapContext {
  readonly dataDirectory: string
  /** Connects the database's owner to the product's database, migrated. */
  readonly adminUrl: string
  readonly masterKey: Buffer
}

/** Files that people need to talk to the product. */
export interface Credentials {
  /** The CA of the API's and the edges' server certificates, for SSL_CERT_FILE and NODE_EXTRA_CA_CERTS. */
  readonly caFile: string
  /** The first operator's client certificate and its key. */
  readonly operatorCertificateFile: string
  readonly operatorKeyFile: string
}

/** Makes the first CAs, signing keys and operator certificate; does nothing on data that has them. */
export type Bootstrap = (context: BootstrapContext) => Promise<Credentials>

const firstOperator = 'first'

export const bootstrap: Bootstrap = async ({ dataDirectory, adminUrl, masterKey }) => {
  const directory = join(dataDirectory, 'credentials')
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  const credentials: Credentials = {
    caFile: join(directory, 'ca.pem'),
    operatorCertificateFile: join(directory, 'operator.pem'),
    operatorKeyFile: join(directory, 'operator.key'),
  }
  const database = new Database({ url: adminUrl, poolSize: 1, applicationName: 'aqueduct-bootstrap' })
  const box = sealer(masterKey)
  try {
    const serverCa = await openAuthority(database.all, box, { purpose: 'server' })
    await openAuthority(database.all, box, { purpose: 'operator' })
    await openAuthority(database.all, box, { purpose: 'node' })
    await openSigningKey(database.all, box, { purpose: 'api_key' })
    await openSigningKey(database.all, box, { purpose: 'probe' })
    await writeFileAtomic(credentials.caFile, serverCa.certificatePem, { mode: 0o644 })
    if (!existsSync(credentials.operatorKeyFile) || !existsSync(credentials.operatorCertificateFile)) {
      const issued = await issueOperatorCertificate(database.all, box, firstOperator, 'bootstrap')
      await writeFileAtomic(credentials.operatorKeyFile, issued.keyPem, { mode: 0o600 })
      await writeFileAtomic(credentials.operatorCertificateFile, issued.certificatePem, { mode: 0o644 })
    }
    return credentials
  } finally {
    await database.close()
  }
}
