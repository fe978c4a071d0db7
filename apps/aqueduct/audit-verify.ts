import { readFileSync } from 'node:fs'
import { assertSchemaFits, Database, isDatabaseUnavailable } from '#libs/store'
import { type AuditBreak, type AuditHead, outlineAuditLog, verifyAuditChain } from '#libs/store/audit'
import { embeddedDatabaseUrl } from './database.ts'
import type { Screen } from './processes/screen.ts'
import type { Busy } from './quickstart/live-screen.ts'
import type { Settings } from './settings.ts'

export interface AuditVerifyOptions {
  readonly settings: Settings
  /** The heads of an earlier run, as they were printed. */
  readonly anchorFile: string | undefined
  /** For people. */
  readonly screen: Screen & { busy(label: string): Busy }
  /** The heads, one a line: for a file that becomes an anchor. */
  readonly print: (line: string) => void
}

/**
 * Looks at the whole audit log: is every entry there, and as it was written? Names the first broken entry of each chain
 * that is broken, and prints the head of each that is whole.
 * @returns whether all is well.
 * @throws Error that says what to do when it cannot look.
 */
export async function verifyAuditLog({ settings, anchorFile, screen, print }: AuditVerifyOptions): Promise<boolean> {
  const anchors = anchorFile === undefined ? new Map<string, AuditHead>() : readAnchors(anchorFile)
  const { dataDirectory, databaseUrl } = settings
  const url = databaseUrl === '' ? embeddedDatabaseUrl(dataDirectory) : databaseUrl
  if (url === undefined) throw new Error(`There is no installation in ${dataDirectory}: set AQUEDUCT_DATA_DIR.`)
  const database = new Database({ url, poolSize: 1, applicationName: 'aqueduct-audit-verify' })
  try {
    await assertSchemaFits(database.pool)
    return await verifyAll(database, anchors, screen, print)
  } catch (cause) {
    if (!isDatabaseUnavailable(cause)) throw cause
    throw new Error('The database does not answer: start Aqueduct first (`npm start`).', { cause })
  } finally {
    await database.close()
  }
}

async function verifyAll(
  database: Database,
  anchors: ReadonlyMap<string, AuditHead>,
  screen: AuditVerifyOptions['screen'],
  print: AuditVerifyOptions['print'],
): Promise<boolean> {
  const outline = await outlineAuditLog(database)
  const chains = [...new Set([...outline.chains, ...anchors.keys()])]
  const broken: AuditBreak[] = []
  let entries = 0
  const busy = screen.busy('verifying')
  try {
    for (const [index, chain] of chains.entries()) {
      const report = await verifyAuditChain(database, chain, anchors.get(chain), (count) => {
        entries += count
        const chainNumber = `chain ${index + 1} of ${chains.length}`
        busy.update(`${entries} of about ${Math.max(entries, outline.entries)} entries, ${chainNumber}`)
      })
      if ('broken' in report) broken.push(report.broken)
      else print(`${chain} ${report.head.seq} ${report.head.hash}`)
    }
  } finally {
    busy.end()
  }
  for (const { chain, seq, logId, problem } of broken) {
    screen.line(`BROKEN: chain ${chain}, entry ${seq} (${logId}) ${problem}.`)
  }
  if (broken.length > 0) {
    screen.line('Keep the database as it is, and read docs/operations.md, "When the audit log does not verify".')
    return false
  }
  screen.line(`The audit log is whole: ${entries} entries in ${chains.length} chains.`)
  if (anchors.size === 0)
    screen.line('Without --anchor, a chain that was cut at its end together with its head looks whole.')
  return true
}

const headLine = /^(\S+) (\d+) ([0-9a-f]{64})$/

/** @throws Error for a file that is no print of heads. */
function readAnchors(file: string): ReadonlyMap<string, AuditHead> {
  const lines = readFileSync(file, 'utf8').split('\n')
  const heads = lines.flatMap((line) => {
    const [, chain, seq, hash] = headLine.exec(line.trim()) ?? []
    return chain === undefined || hash === undefined ? [] : [{ chain, seq: Number(seq), hash }]
  })
  if (heads.length === 0) throw new Error(`${file} has no heads in it: give the output of an earlier audit:verify.`)
  return new Map(heads.map((head) => [head.chain, head]))
}
