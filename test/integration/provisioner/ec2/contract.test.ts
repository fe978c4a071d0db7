import { afterAll, beforeAll } from 'vitest'
import { describeDriverContract } from '../../../harness/driver-contract.ts'
import { type Ec2World, startEc2World } from '../../../harness/ec2-stand-ins/ec2-world.ts'

let world: Ec2World
beforeAll(async () => {
  world = await startEc2World()
  world.machines.start()
}, 300_000)
afterAll(() => world.stop())

describeDriverContract(
  'ec2',
  () => world.driver(),
  () => world.driver(),
)
