import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join, relative, resolve } from 'node:path'
import { describe, expect, it } from 'vitest'
import { AppError, type ErrorCode } from '#libs/base'
import { rpcs } from '#libs/cloud-api'
import { nodePorts } from '#libs/domain/nodes'
import { statusOf } from '../../apps/api/transport/status.ts'

/** What the documents say of the code is compared with the code: names, defaults, paths, commands, codes. */

const root = resolve(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

function filesBelow(folder: string, ends: string): readonly string[] {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith(ends))
    .map((entry) => relative(root, join(entry.parentPath, entry.name)))
    .toSorted()
}

const documents = [...readdirSync(root).filter((name) => name.endsWith('.md')), ...filesBelow('docs', '.md')]
const sources = ['apps', 'libs'].flatMap((folder) =>
  filesBelow(folder, '.ts').filter((file) => !file.endsWith('.test.ts')),
)
const scripts = Object.keys((JSON.parse(read('package.json')) as { scripts: object }).scripts)

/** Everything that `pattern`'s first group finds, once each. */
function found(text: string, pattern: RegExp): readonly string[] {
  return [...new Set([...text.matchAll(pattern)].map((match) => match[1] ?? ''))].toSorted()
}

/** The part of a page below a heading, up to the next heading of the same level. */
function section(page: string, heading: string): string {
  const level = /^#+/.exec(heading)?.[0] ?? '#'
  const [, after = ''] = page.split(`\n${heading}\n`)
  return after.split(`\n${level} `)[0] ?? ''
}

/** The cells of every table row in a text; heads and rules are left out. */
function rows(text: string): readonly (readonly string[])[] {
  const lines = text.split('\n')
  return lines
    .filter(
      (line, index) => line.startsWith('|') && !/^\|[ -]*-\|?/.test(line) && !/^\| ?--/.test(lines[index + 1] ?? ''),
    )
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim()),
    )
}

function unquoted(cell: string): string {
  return cell.replace(/^`(.*)`$/, '$1')
}

describe('docs/configuration.md', () => {
  const page = read('docs/configuration.md')
  const sections = {
    '## Launcher': 'apps/aqueduct/settings.ts',
    '## API': 'apps/api/settings.ts',
    '## Provisioner': 'apps/provisioner/settings.ts',
    '## Edge': 'apps/edge/settings.ts',
  }

  it('has a table for every file of settings', () => {
    const files = sources.filter((file) => file.endsWith('/settings.ts'))
    expect(Object.values(sections).toSorted()).toEqual(files)
    for (const [heading, file] of Object.entries(sections)) expect(section(page, heading)).toContain(`\`${file}\``)
  })

  it.each(Object.entries(sections))('%s names exactly its settings, with their defaults', (heading, file) => {
    const declared = [...read(file).matchAll(/\bsetting\(\s*'([A-Z0-9_]+)',\s*(undefined|'[^']*'|[^,]+)/g)]
    expect(declared.length).toBeGreaterThan(5)
    const shown = rows(section(page, heading)).map(([name = '', value = '']) => [unquoted(name), value] as const)
    expect(shown.map(([name]) => name)).toEqual(declared.map(([, name]) => name))
    for (const [, name = '', fallback = ''] of declared) {
      const value = shown.find(([other]) => other === name)?.[1]
      if (fallback === 'undefined') expect(value, name).toBe('required')
      else if (fallback === "''") expect(value, name).toBe('empty')
      // What is worked out is told in words.
      else if (fallback.startsWith("'")) expect(value, name).toBe(`\`${fallback.slice(1, -1)}\``)
    }
  })

  it('names the programs, their variables and versions', () => {
    const tools = read('apps/aqueduct/toolchain/tool.ts')
    const shown = rows(section(page, '## Programs'))
    expect(shown.map(([name = '']) => unquoted(name)).toSorted()).toEqual(found(tools, /variable: '([A-Z_]+)'/g))
    for (const version of shown.map(([, , cell = '']) => cell)) expect(tools).toContain(`'${version}'`)
  })

  it('names every AQUEDUCT_* variable of the code, and no other does any document', () => {
    const code = sources.map(read).join('\n')
    const known = found(code, /\b(AQUEDUCT_[A-Z0-9_]*[A-Z0-9])\b/g).filter((name) => name !== 'AQUEDUCT_X')
    const here = found(page, /\b(AQUEDUCT_[A-Z0-9_]*[A-Z0-9])\b/g)
    expect(known.filter((name) => !here.includes(name))).toEqual([])
    const anywhere = found(documents.map(read).join('\n'), /\b(AQUEDUCT_[A-Z0-9_]*[A-Z0-9])\b/g)
    expect(anywhere.filter((name) => !known.includes(name))).toEqual([])
  })

  it('names the ports of a node', () => {
    const { membershipOffset, ...ports } = nodePorts
    const shown = rows(section(page, '## Ports of a node')).map(([port, text = '']) => {
      return [/`(\w+)`/.exec(text)?.[1], Number(port)]
    })
    expect(Object.fromEntries(shown)).toEqual(ports)
    expect(section(page, '## Ports of a node')).toContain(`port plus ${membershipOffset}.`)
  })
})

describe('docs/http-status-codes.md', () => {
  it('has the numbers of the code, one row a code', () => {
    const shown = rows(read('docs/http-status-codes.md')).map((cells) => cells.slice(0, 3).map(unquoted))
    const told = shown.map(([, , code]) => {
      const { httpStatus, name } = statusOf(new AppError(code as ErrorCode, ''), '')
      return [String(httpStatus), name, code]
    })
    expect(shown).toEqual(told)
    expect(shown.map(([, , code]) => code).toSorted()).toEqual(
      found(section(`\n${read('libs/base/errors.ts')}`, 'export type ErrorCode ='), /^ {2}\| '(\w+)'$/gm),
    )
  })
})

describe('docs/operations.md', () => {
  it('names exactly the metrics of the code', () => {
    const code = sources.map(read).join('\n')
    expect(found(read('docs/operations.md'), /`(aqueduct_[a-z_]+)`/g)).toEqual(
      found(code, /\bname: '(aqueduct_[a-z_]+)'/g),
    )
  })
})

describe('docs/decisions', () => {
  const files = filesBelow('docs/decisions', '.md').filter((file) => /\/\d/.test(file))
  const index = read('docs/decisions/README.md')

  it('are numbered without a gap, and all are in the index', () => {
    const numbers = files.map((file) => /\/(\d{4})-[a-z0-9-]+\.md$/.exec(file)?.[1])
    expect(numbers).toEqual(files.map((_, position) => String(position + 1).padStart(4, '0')))
    for (const file of files) expect(index).toContain(`](${file.slice('docs/decisions/'.length)})`)
  })

  it.each(files)('%s has its parts', (file) => {
    const text = read(file)
    expect(text).toMatch(/^# \d{4}: .+\n\nDate: \d{4}-\d\d-\d\d\n/)
    expect(found(text, /^## (.+)$/gm)).toEqual([
      'Consequences',
      'Context',
      'Decision',
      'Where it differs from the design',
    ])
  })
})

it('every script of package.json is explained in README.md or CONTRIBUTING.md', () => {
  const text = read('README.md') + read('CONTRIBUTING.md')
  const commands = scripts.map((name) => (name === 'start' || name === 'test' ? `npm ${name}` : `npm run ${name}`))
  expect(commands.filter((command) => !text.includes(`\`${command}\``))).toEqual([])
})

describe.each(documents)('%s', (file) => {
  const text = read(file)
  const prose = text.replaceAll(/^```[\s\S]*?^```$/gm, '')

  it('links to what is there', () => {
    const broken = found(prose, /\]\(([^)\s]+)\)/g).filter((target) => {
      if (/^(https?|mailto):/.test(target)) return false
      const [path = '', anchor] = target.split('#')
      const to = path === '' ? file : relative(root, resolve(root, dirname(file), path))
      if (!existsSync(join(root, to))) return true
      return anchor !== undefined && !anchorsOf(read(to)).includes(anchor)
    })
    expect(broken).toEqual([])
  })

  it('names files that are there', () => {
    const paths = found(prose, /`((?:apps|libs|test|docs|infra|\.ci)\/[^`\s]*)`/g)
    const exact = paths.filter((path) => !/[<>{}*…]/.test(path))
    expect(exact.filter((path) => !existsSync(join(root, path)))).toEqual([])
  })

  it('names commands that are there', () => {
    expect(found(text, /\bnpm run (?:--silent )?([\w:-]+)/g).filter((name) => !scripts.includes(name))).toEqual([])
  })

  it('names calls that are served', () => {
    const served = servedCalls()
    const named = found(text, /`((?:GET|POST|DELETE) \/[^`\s?]*)/g).map(withoutNames)
    expect(named.filter((call) => !served.includes(call))).toEqual([])
  })
})

/** As GitHub makes them. */
function anchorsOf(page: string): readonly string[] {
  return found(page, /^#+ (.+)$/gm).map((heading) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** `GET /cloud/namespaces/{}`: what the variables are called is nobody's business. */
function withoutNames(call: string): string {
  return call.replaceAll(/\{[^}]*\}|:\w+/g, '{}')
}

function servedCalls(): readonly string[] {
  const routes = (folder: string, prefix: string) =>
    filesBelow(folder, '.ts').flatMap((file) =>
      [...read(file).matchAll(/\.(get|post|delete)(?:<[^(]*>)?\(\s*'(\/[^']*)'/g)].map(
        ([, verb = '', path = '']) => `${verb.toUpperCase()} ${prefix}${path}`,
      ),
    )
  return [
    ...rpcs.map(({ verb, path }) => `${verb} ${path}`),
    ...routes('apps/api/operator', '/operator/v1'),
    ...routes('apps/api/signup', ''),
    ...routes('apps/api/plugins', ''),
    ...routes('apps/edge/discovery', ''),
  ].map(withoutNames)
}
