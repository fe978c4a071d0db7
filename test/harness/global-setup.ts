import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client } from 'pg'
import type { TestProject } from 'vitest/node'
import { startCluster } from '../../apps/aqueduct/postgres/cluster.ts'
import { freePort } from '../../apps/aqueduct/postgres/free-port.ts'
import { readLauncherSettings } from '../../apps/aqueduct/settings.ts'
import { terminalProgress } from '../../apps/aqueduct/toolchain/progress.ts'
import { resolveTemporalCli, resolveToolchain } from '../../apps/aqueduct/toolchain/toolchain.ts'
import { prepareTemplate } from './template.ts'
import type { TestToolchain } from './toolchain.ts'

declare module 'vitest' {
  interface ProvidedContext {
    /** See `postgresAdminUrl` in postgres.ts, the door to this. */
    postgresAdminUrl: string
    postgresTemplate: string
    toolchain: TestToolchain
  }
}

const template = 'aqueduct_template'

/** Tiers that need neither Postgres nor the programs that cells consist of. */
const light = ['unit', 'policy']

/** The real parts for the whole run: the programs (minutes, on a machine that never had them) and a Postgres server. */
export default async function setup(project: TestProject): Promise<(() => Promise<void>) | undefined> {
  if (project.vitest.projects.every(({ name }) => light.includes(name))) return undefined
  project.provide('toolchain', await fetchToolchain())
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

async function fetchToolchain(): Promise<TestToolchain> {
  const context = {
    cacheDirectory: readLauncherSettings(process.env).cacheDirectory,
    environment: process.env,
    progress: terminalProgress(process.stderr),
    signal: new AbortController().signal,
  }
  return { ...(await resolveToolchain(context)), temporalCli: await resolveTemporalCli(context) }
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
