import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { bootstrapOperator, openAuthority, openSigningKey } from '#libs/keyring'
import { describeCertificate } from '#libs/pki'
import { writeFileAtomic } from '#libs/processes'
import { sealer } from '#libs/sealing'
import { Database } from '#libs/store'
import { findLiveOperator } from '#libs/store/operators'
import { type Credentials, credentialsFolder, credentialsIn, writeOperatorFiles } from './credentials.ts'

/** What the step between migrations and the first process gets. */
export interface BootstrapContext {
  readonly dataDirectory: string
  /** Connects the database's owner to the product's database, migrated. */
  readonly adminUrl: string
  readonly masterKey: Buffer
  /** The name of the first operator, on data that never had one. */
  readonly firstOperator: string
}

export interface Bootstrapped {
  readonly credentials: Credentials
  /** Why the operator's files do not open the operator API, and what to do; undefined: they do. */
  readonly operatorProblem: string | undefined
}

/** Makes the first CAs, signing keys and the first operator; does nothing on data that has them. */
export type Bootstrap = (context: BootstrapContext) => Promise<Bootstrapped>

export const bootstrap: Bootstrap = async ({ dataDirectory, adminUrl, masterKey, firstOperator }) => {
  const credentials = credentialsIn(dataDirectory)
  mkdirSync(credentialsFolder(dataDirectory), { recursive: true, mode: 0o700 })
  const database = new Database({ url: adminUrl, poolSize: 1, applicationName: 'aqueduct-bootstrap' })
  const box = sealer(masterKey)
  try {
    const serverCa = await openAuthority(database.all, box, { purpose: 'server' })
    await openAuthority(database.all, box, { purpose: 'operator' })
    await openAuthority(database.all, box, { purpose: 'node' })
    await openSigningKey(database.all, box, { purpose: 'api_key' })
    await openSigningKey(database.all, box, { purpose: 'probe' })
    await writeFileAtomic(credentials.caFile, serverCa.certificatePem, { mode: 0o644 })
    await database.all.transaction().execute(async (trx) => {
      const first = await bootstrapOperator(trx, box, firstOperator)
      // Before the commit: a start that ends in between is the first one again, and writes others.
      if (first !== undefined) await writeOperatorFiles(credentials, first)
    })
    return { credentials, operatorProblem: await operatorProblem(credentials, database) }
  } finally {
    await database.close()
  }
}

const remedy =
  'Another admin can issue one (POST /operator/v1/operators/<name>/certificates). If there is none, `npm run operator:recover -- <name>` makes an admin, for whoever has this machine and the master key.'

async function operatorProblem(credentials: Credentials, database: Database): Promise<string | undefined> {
  const { operatorCertificateFile, operatorKeyFile } = credentials
  const missing = [operatorCertificateFile, operatorKeyFile].filter((file) => !existsSync(file))
  if (missing.length > 0) {
    return `There is no ${missing.join(' and no ')}, and the first operator's certificate is made once. ${remedy}`
  }
  const { fingerprintSha256 } = describeCertificate(readFileSync(operatorCertificateFile, 'utf8'))
  if ((await findLiveOperator(database.all, fingerprintSha256)) !== undefined) return undefined
  return `The certificate in ${operatorCertificateFile} is not good any more: it ended, was revoked, or its operator was deleted. ${remedy}`
}
