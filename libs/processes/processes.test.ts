import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import {
  acquireLock,
  findByEnvironment,
  identify,
  isRunning,
  readPidFile,
  signalProcess,
  tryLock,
  writeFileAtomic,
  writePidFile,
} from '#libs/processes'

const dir = await mkdtemp(join(tmpdir(), 'processes-'))
afterAll(() => rm(dir, { recursive: true, force: true }))

describe('a process', () => {
  it('is known by more than its pid', async () => {
    const marker = `AQUEDUCT_TEST=${dir}`
    const child = spawn('sleep', ['60'], { env: { AQUEDUCT_TEST: dir } })
    await once(child, 'spawn')
    const identity = identify(child.pid ?? 0)
    if (identity === undefined) throw new Error('it does not live')
    expect(isRunning(identity)).toBe(true)
    expect(findByEnvironment(marker)).toEqual([identity])
    expect(findByEnvironment(marker, 'OTHER=1')).toEqual([])

    const recycled = { ...identity, startTime: '1' }
    expect(isRunning(recycled)).toBe(false)
    expect(signalProcess(recycled, 'SIGKILL')).toBe(false)
    expect(signalProcess({ ...identity, bootId: 'another' }, 'SIGKILL')).toBe(false)
    expect(isRunning(identity)).toBe(true)

    expect(signalProcess(identity, 'SIGKILL')).toBe(true)
    await once(child, 'exit')
    expect(isRunning(identity)).toBe(false)
    expect(identify(identity.pid)).toBeUndefined()
  })

  it('is remembered in a file, and a file that is not whole says nothing', async () => {
    const path = join(dir, 'x.pid')
    const file = { pid: 4_242, startTime: '1', bootId: 'b', fingerprint: 'f' }
    await writePidFile(path, file)
    expect(await readPidFile(path)).toEqual(file)
    for (const content of [
      '',
      '{',
      '4242',
      '{"pid":1,"startTime":"1","bootId":"b","fingerprint":""}',
      '{"pid":4242}',
    ]) {
      await writeFile(path, content)
      expect(await readPidFile(path), content).toBeUndefined()
    }
    expect(await readPidFile(join(dir, 'none.pid'))).toBeUndefined()
  })
})

describe('a lock', () => {
  it('is held by one, and is free after it or its death', async () => {
    const lock = await tryLock(dir)
    expect(lock).toBeDefined()
    expect(await tryLock(dir)).toBeUndefined()
    await expect(acquireLock(dir, 50)).rejects.toThrow('held by another process')
    const waiting = acquireLock(dir, 5_000)
    await lock?.release()
    await (await waiting).release()

    const index = join(import.meta.dirname, 'index.ts')
    const script = `import { tryLock } from ${JSON.stringify(index)}; await tryLock(${JSON.stringify(dir)}); console.log('held'); setInterval(() => {}, 1e6)`
    const holder = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    await once(holder.stdout, 'data')
    expect(await tryLock(dir)).toBeUndefined()
    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const after = await acquireLock(dir, 1_000)
    await after.release()
  })
})

describe('writeFileAtomic', () => {
  it('sets the mode whatever the umask, and replaces the whole', async () => {
    const path = join(dir, 'secret')
    await writeFileAtomic(path, 'a long first content', { mode: 0o600 })
    await writeFileAtomic(path, 'second', { mode: 0o600, durable: true })
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect((await stat(path)).size).toBe(6)
    await expect(writeFileAtomic(join(dir, 'none', 'x'), '', { mode: 0o600 })).rejects.toMatchObject({ code: 'ENOENT' })
  })
})
