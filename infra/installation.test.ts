import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readInstallation } from './installation.ts'

const example = readFileSync(join(import.meta.dirname, 'installation.example.json'), 'utf8')
const changed = (changes: object): string => JSON.stringify({ ...JSON.parse(example), ...changes })
const cells = JSON.parse(example).cells as object

describe('readInstallation', () => {
  it('reads the example', () => {
    expect(readInstallation(example)).toEqual(JSON.parse(example))
  })

  it.each([
    ['a name with capitals', { installation: 'Prod' }, /installation must be/],
    ['an account that is none', { account: '1234' }, /account must be/],
    ['two zones', { zones: ['us-east-1a', 'us-east-1b'] }, /zones must be three zones/],
    ['one zone twice', { zones: ['us-east-1a', 'us-east-1a', 'us-east-1b'] }, /zones must be three zones/],
    [
      'zones elsewhere',
      { zones: ['eu-west-1a', 'eu-west-1b', 'eu-west-1c'] },
      /zones must be three zones of awsRegion/,
    ],
    ['operators from everywhere', { operatorCidrs: ['0.0.0.0/0'] }, /operatorCidrs must be networks/],
    ['a network that is none', { operatorCidrs: ['vpn'] }, /operatorCidrs must be networks/],
    ['a certificate that is none', { certificateArn: 'arn:aws:iam::1:role/x' }, /certificateArn must be/],
    ['an unknown field', { natgateways: 1 }, /the whole has no natgateways/],
    ['an unknown field of the cells', { cells: { ...cells, sise: 'dev' } }, /cells has no sise/],
    ['a size that the product does not have', { cells: { ...cells, size: 'huge' } }, /cellSize must be one of/],
    ['a role that no node has', { cells: { ...cells, instanceTypes: { edges: ['m7i.large'] } } }, /instanceTypes/],
    ['no limit of nodes', { cells: { ...cells, nodeLimit: 0 } }, /nodeLimit/],
    ['a class with db.', { cells: { ...cells, databaseClass: 'db.m7g.large' } }, /cells.databaseClass must be/],
  ])('refuses %s', (_, changes, message) => {
    expect(() => readInstallation(changed(changes))).toThrow(message)
  })

  it('names every mistake at once', () => {
    expect(() => readInstallation(changed({ account: '', natGateways: 9, multiAz: 'yes' }))).toThrow(
      /account[\s\S]*natGateways[\s\S]*multiAz/,
    )
  })
})
