import { readFileSync, writeFileSync } from 'node:fs'

const mayWrite = process.env.UPDATE_GOLDENS === '1'

/** A list of names, one a line, that may only shrink: names that went are struck, and no switch lets a new one in. */
function readRatchet(file: URL): readonly string[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
}

/** @returns what is wrong, as sentences; empty when the list is exactly what is there. */
export function checkRatchet(file: URL, now: readonly string[]): readonly string[] {
  const listed = readRatchet(file)
  const added = now.filter((name) => !listed.includes(name))
  if (added.length > 0) return added.map((name) => `${name} is new on a list that may only shrink`)
  const gone = listed.filter((name) => !now.includes(name))
  if (gone.length === 0) return []
  if (!mayWrite) return gone.map((name) => `${name} is done: strike it with UPDATE_GOLDENS=1`)
  const comments = readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('#'))
  writeFileSync(file, `${[...comments, ...now].join('\n')}\n`)
  return []
}
