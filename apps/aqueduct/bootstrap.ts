import { join } from 'node:path'

/** What the step between migrations and the first process gets. */
export interface BootstrapContext {
  readonly dataDirectory: string
  /** Connects the database's owner to the product's database, migrated. */
  readonly adminUrl: string
  readonly masterKey: Uint8Array
}

/** Files that people need to talk to the product. */
export interface Credentials {
  /** The CA of the API's server certificate, for SSL_CERT_FILE and NODE_EXTRA_CA_CERTS. */
  readonly caFile: string
  /** The first operator's client certificate and its key. */
  readonly operatorCertificateFile: string
  readonly operatorKeyFile: string
}

/** Makes the first CAs, signing keys and operator certificate; does nothing on data that has them. */
export type Bootstrap = (context: BootstrapContext) => Promise<Credentials>

/** Names where the credentials lie. */
export const bootstrap: Bootstrap = async ({ dataDirectory }) => ({
  caFile: join(dataDirectory, 'credentials', 'ca.pem'),
  operatorCertificateFile: join(dataDirectory, 'credentials', 'operator.pem'),
  operatorKeyFile: join(dataDirectory, 'credentials', 'operator.key'),
})
