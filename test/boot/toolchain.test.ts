import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { InstallContext } from '../../apps/aqueduct/toolchain/install.ts'
import { locate } from '../../apps/aqueduct/toolchain/locate.ts'
import { silentProgress } from '../../apps/aqueduct/toolchain/progress.ts'
import { envoy, temporalServer } from '../../apps/aqueduct/toolchain/tool.ts'
import { resolveEnvoy, resolveToolchain } from '../../apps/aqueduct/toolchain/toolchain.ts'
import { toolchain } from '../harness/toolchain.ts'

let home: string

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'aqueduct-toolchain-'))
})
afterEach(() => rmSync(home, { recursive: true, force: true }))

/** A program that prints something and does something. Scripts stand for programs here: copied ones would be big. */
function program(path: string, script: string): string {
  const file = join(home, path)
  mkdirSync(join(file, '..'), { recursive: true })
  writeFileSync(file, `#!/bin/sh\n${script}\n`, { mode: 0o755 })
  return file
}

function context(environment: Readonly<Record<string, string>>, signal = new AbortController().signal): InstallContext {
  return { cacheDirectory: join(home, 'cache'), environment, progress: silentProgress, signal }
}

/** A Go that builds nothing: it notes that it was called, takes a moment, and leaves programs of this version. */
function fakeGo(version: string): void {
  program(
    'path/go',
    `echo "$@" >> ${home}/calls; sleep 0.3
for name in server sql; do printf '#!/bin/sh\\necho temporal version ${version}\\n' > "$GOBIN/$name"; chmod 755 "$GOBIN/$name"; done`,
  )
}

describe('a program that is named by its variable', () => {
  it('is used when its version fits', async () => {
    const file = program('own/server', 'echo temporal version 1.32.7')
    expect(await locate(temporalServer, { TEMPORAL_SERVER: file })).toBe(file)
  })

  it.each(['1.32.1', '1.31.9', '1.33.0', '0.32.2'])('is refused when it is version %s', async (version) => {
    const file = program('own/server', `echo temporal version ${version}`)
    await expect(locate(temporalServer, { TEMPORAL_SERVER: file })).rejects.toThrow(
      `TEMPORAL_SERVER=${file} is version ${version}, which Aqueduct does not run`,
    )
  })

  it('is refused when it cannot be run', async () => {
    await expect(locate(temporalServer, { TEMPORAL_SERVER: '/nowhere/at/all' })).rejects.toThrow('cannot be run')
  })
})

describe('a program on the PATH', () => {
  it('is passed over when it is a wrapper around the real one, which is found beside it', async () => {
    program('venv/bin/envoy', 'exit 1')
    const real = program(
      'venv/lib/python3.9/site-packages/envoy/_bin/envoy',
      'echo "envoy  version: abc/1.40.3/Clean/RELEASE/BoringSSL"',
    )
    expect(await locate(envoy, { PATH: join(home, 'venv/bin') })).toBe(real)
  })

  it('is the real one of this machine', async () => {
    const found = toolchain().envoy
    expect(await locate(envoy, { PATH: join(found, '..') })).toBe(found)
  })
})

describe('the Temporal server', () => {
  it('is built once, also when two ask at the same time, and nothing unfinished stays', async () => {
    fakeGo('1.32.2')
    const environment = { PATH: `${join(home, 'path')}:/usr/bin:/bin`, ENVOY: toolchain().envoy }
    const [first, second] = await Promise.all([
      resolveToolchain(context(environment)),
      resolveToolchain(context(environment)),
    ])
    expect(second).toEqual(first)
    expect(first.temporalServer).toBe(join(home, 'cache/temporal-server-1.32.2/temporal-server'))
    expect(readFileSync(join(home, 'calls'), 'utf8').trim().split('\n')).toHaveLength(1)
    expect(readdirSync(join(home, 'cache'))).toEqual(['temporal-server-1.32.2'])
  })

  it('is built without a look at our secrets, and with the user’s own settings', async () => {
    fakeGo('1.32.2')
    program('path/env-of-go', `env > ${home}/environment`)
    writeFileSync(
      join(home, 'path/go'),
      readFileSync(join(home, 'path/go'), 'utf8').replace('echo', `${home}/path/env-of-go; echo`),
    )
    const environment = {
      PATH: `${join(home, 'path')}:/usr/bin:/bin`,
      ENVOY: toolchain().envoy,
      GOPROXY: 'https://proxy.example',
      AQUEDUCT_MASTER_KEY: 'secret-1',
      AQUEDUCT_SMTP_URL: 'smtp://secret-2',
      DATABASE_URL: 'postgres://secret-3',
    }
    await resolveToolchain(context(environment))
    const seen = readFileSync(join(home, 'environment'), 'utf8')
    expect(seen).toContain('GOPROXY=https://proxy.example')
    expect(seen).not.toContain('secret-')
  })

  it('leaves nothing that looks finished when the build fails, and says what to try', async () => {
    program('path/go', 'echo no route to the module proxy >&2; exit 1')
    const failing = resolveToolchain(context({ PATH: `${join(home, 'path')}:/usr/bin:/bin` }))
    await expect(failing).rejects.toThrow(/Set TEMPORAL_SERVER and TEMPORAL_SQL_TOOL[^]*no route to the module proxy/)
    expect(readdirSync(join(home, 'cache'))).toEqual([])
  })

  it('is built again after somebody died while building it', async () => {
    mkdirSync(join(home, 'cache/temporal-server-1.32.2.unfinished'), { recursive: true })
    writeFileSync(join(home, 'cache/temporal-server-1.32.2.unfinished/temporal-server'), 'half')
    fakeGo('1.32.2')
    await resolveToolchain(context({ PATH: `${join(home, 'path')}:/usr/bin:/bin`, ENVOY: toolchain().envoy }))
    expect(readdirSync(join(home, 'cache'))).toEqual(['temporal-server-1.32.2'])
  })

  it('stops being built when the start is called off', async () => {
    program('path/go', `echo $$ > ${home}/pid; sleep 60`)
    const calledOff = new AbortController()
    const building = resolveToolchain(context({ PATH: `${join(home, 'path')}:/usr/bin:/bin` }, calledOff.signal))
    await expect.poll(() => existsSync(join(home, 'pid'))).toBe(true)
    calledOff.abort()
    await expect(building).rejects.toThrow()
    expect(readdirSync(join(home, 'cache'))).toEqual([])
  })
})

describe('Envoy', () => {
  it('says what to install when there is no Python', async () => {
    mkdirSync(join(home, 'path'))
    await expect(resolveEnvoy(context({ PATH: join(home, 'path') }))).rejects.toThrow(
      'needs python3, which is not on the PATH. Install it, or set ENVOY to envoy 1.40.0',
    )
  })

  it('says which package is missing when Python has no venv', async () => {
    program(
      'path/python3',
      'echo "The virtual environment was not created because ensurepip is not available."; exit 1',
    )
    await expect(resolveEnvoy(context({ PATH: `${join(home, 'path')}:/usr/bin:/bin` }))).rejects.toThrow(
      'Install the package python3-venv, or set ENVOY',
    )
  })
})
