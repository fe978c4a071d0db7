import { describe, expect, it } from 'vitest'
import { checkManifest } from './manifest-file.ts'

const process = {
  name: 'temporal',
  command: '/bin/true',
  args: ['--config', '{dir}/config/a.json'],
  env: { LANG: 'C' },
  restartOn: ['config/a.json'],
  readyPort: 7243,
  stopMs: 1_000,
}
const manifest = {
  nodeId: 'node-1',
  cellId: 'cell-1',
  generation: 1,
  address: '127.77.0.1',
  files: [{ path: 'config/a.json', content: '{}', secret: true }],
  processes: [process],
}
const withFile = (path: string) => ({
  ...manifest,
  files: [...manifest.files, { path, content: '', secret: false }],
})
const withProcess = (change: object) => ({ ...manifest, processes: [{ ...process, ...change }] })

describe('checkManifest', () => {
  it('takes a whole manifest as it is', () => {
    const edge = { url: 'https://127.0.0.1:1', caFile: 'a', certificateFile: 'b', keyFile: 'c' }
    expect(checkManifest(manifest)).toEqual(manifest)
    expect(checkManifest({ ...manifest, edge })).toEqual({ ...manifest, edge })
  })

  it.each([
    '../outside',
    'config/../../outside',
    '/etc/passwd',
    './config/b.json',
    'config//b.json',
    'config/',
    '.',
    '..',
    '',
    'a\0b',
    'a\\..\\b',
  ])('refuses the path %j', (path) => {
    expect(() => checkManifest(withFile(path))).toThrow()
  })

  it('takes files for the node’s own key, which processes may restart on', () => {
    const whole = { ...withProcess({ restartOn: ['tls/own.key'] }), ownKeyFiles: ['tls/own.key', 'edge/own.key'] }
    expect(checkManifest(whole)).toEqual(whole)
  })

  it.each([
    ['a path out of the folder', ['../own.key']],
    ['an absolute path', ['/etc/own.key']],
    ['a file that has a content', ['config/a.json']],
    ['the same file twice', ['own.key', 'own.key']],
    ['a file of the agent', ['identity/key.pem']],
    ['no list', 'own.key'],
    ['no text', [1]],
  ])('refuses %s for the node’s own key', (_, ownKeyFiles) => {
    expect(() => checkManifest({ ...manifest, ownKeyFiles })).toThrow()
  })

  it.each(['manifest.json', 'status.json', 'run/agent.pid', 'log/temporal.log', 'identity/key.pem'])(
    'keeps %s to the agent',
    (path) => {
      expect(() => checkManifest(withFile(path))).toThrow("the agent's own")
    },
  )

  it.each([
    ['no object', 'x'],
    ['a path twice', withFile('config/a.json')],
    ['a name with a path in it', withProcess({ name: '../temporal' })],
    ['a process that restarts on a file that is not there', withProcess({ restartOn: ['config/b.json'] })],
    ['a port out of range', withProcess({ readyPort: 70_000 })],
    ['an argument that is no text', withProcess({ args: [1] })],
    [
      'an edge outside of the folder',
      { ...manifest, edge: { url: 'https://x', caFile: '../a', certificateFile: 'b', keyFile: 'c' } },
    ],
    ['a generation that is no number', { ...manifest, generation: '1' }],
  ])('refuses %s', (_, value) => {
    expect(() => checkManifest(value)).toThrow()
  })

  it('does not say what stands in a file', () => {
    const file = { path: 'config/b.json', content: 'the-password', secret: 'yes' }
    expect(() => checkManifest({ ...manifest, files: [file] })).toThrow(/^(?!.*the-password)/)
  })
})
