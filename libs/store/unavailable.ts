/** SQLSTATEs (whole, or their class) and codes of Node that mean: not now, ask again. */
const states = new Set(['57P01', '57P02', '57P03', '53300', '40001', '40P01', '55P03'])
const nodeCodes = new Set(['ECONNREFUSED', 'ECONNRESET', 'ENOENT', 'ENOTFOUND', 'EPIPE', 'ETIMEDOUT', 'EHOSTUNREACH'])
/** What `pg` says without any code when a connection breaks, or when none is to be had. */
const words =
  /^(connection terminated|timeout exceeded when trying to connect|client has encountered a connection error)/i

/** Whether an error of the database is one of the moment: it restarts, is not reached, or chose another transaction. */
export function isDatabaseUnavailable(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false
  const { code, syscall } = thrown as NodeJS.ErrnoException
  if (code === undefined) return words.test(thrown.message)
  if (nodeCodes.has(code)) return syscall === undefined || syscall !== 'open'
  return states.has(code) || code.startsWith('08')
}
