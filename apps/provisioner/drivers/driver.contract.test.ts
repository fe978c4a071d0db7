import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll } from 'vitest'
import { contractPort, describeDriverContract } from '../../../test/harness/driver-contract.ts'
import type { NodeDriver } from './contract.ts'
import { FakeDriver } from './fake/driver.ts'
import { LocalDriver } from './local/driver.ts'

// The EC2 driver needs Moto's server: test/integration/provisioner/ec2/contract.test.ts.

const agentMain = join(import.meta.dirname, '../../node/main.ts')
const nodesDir = await mkdtemp(join(tmpdir(), 'drivers-'))
afterAll(() => rm(nodesDir, { recursive: true, force: true }))

const fake = new FakeDriver()
const local = (): NodeDriver =>
  new LocalDriver({ nodesDir: join(nodesDir, 'nodes'), agentMain, nodeBinary: process.execPath, ports: [contractPort] })

describeDriverContract(
  'fake',
  () => fake,
  () => fake,
)
describeDriverContract('local', local, local)
