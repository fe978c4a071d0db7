import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { startCluster } from '../../apps/aqueduct/postgres/cluster.ts'
import { freePort } from '../../apps/aqueduct/postgres/free-port.ts'
import { prepareTemplate } from './template.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** See `postgresAdminUrl` in postgres.ts, the door to this. */
    postgresAdminUrl: string
    postgresTemplate: string
  }
}

const template = 'aqueduct_template'

/** One Postgres server for the whole run, unless only unit tests run: those do no I/O. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (project.vitest.projects.every(({ name }) => name === 'unit')) return undefined
  const directory = mkdtempSync(join(tmpdir(), 'aqueduct-test-postgres-'))
  const said: Buffer[] = []
  const cluster = await startCluster({
    directory,
    port: await freePort(),
    password: 'test-only',
    onOutput: (chunk) => said.push(chunk),
    dieWithParent: true,
    settings: {
      max_connections: '400',
      // The data is thrown away after the run: nothing has to survive a power cut.
      fsync: 'off',
      synchronous_commit: 'off',
      full_page_writes: 'off',
      wal_level: 'minimal',
      max_wal_senders: '0',
      shared_buffers: '128MB',
      autovacuum_naptime: '10s',
    },
  })
  const stop = async (): Promise<void> => {
    await cluster.stop()
    rmSync(directory, { recursive: true, force: true })
  }
  try {
    await makeTemplate(cluster.adminUrl)
  } catch (thrown) {
    console.error(Buffer.concat(said).toString('utf8'))
    await stop()
    throw thrown
  }
  project.provide('postgresAdminUrl', cluster.adminUrl)
  project.provide('postgresTemplate', template)
  return stop
}

async function makeTemplate(adminUrl: string): Promise<void> {
  const client = new Client({ connectionString: adminUrl })
  await client.connect()
  try {
    await client.query(`CREATE DATABASE ${template}`)
    const url = new URL(adminUrl)
    url.pathname = `/${template}`
    await prepareTemplate(url.href)
    // A template with a connection cannot be cloned, so nobody may have one.
    await client.query(`ALTER DATABASE ${template} WITH IS_TEMPLATE true ALLOW_CONNECTIONS false`)
  } finally {
    await client.end()
  }
}
