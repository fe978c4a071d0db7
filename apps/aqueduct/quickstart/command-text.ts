import { relative } from 'node:path'

/** Columns that a command may fill before it goes on in the next line. */
const width = 140

/** As a POSIX shell has to see the text to take it for one word that means itself. */
export function quoted(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}

/** Lays a command out, broken between its parts where it is long, so that it can be pasted as it stands. */
export function commandText(parts: readonly string[]): string {
  const lines: string[] = []
  let line = ''
  for (const part of parts) {
    if (line !== '' && line.length + part.length + 3 > width) {
      lines.push(`${line} \\`)
      line = `  ${part}`
    } else {
      line = line === '' ? part : `${line} ${part}`
    }
  }
  return [...lines, line].join('\n')
}

/** How a path is written in a command that is typed in `folder`: relative where it lies inside. */
export function pathsIn(folder: string): (path: string) => string {
  return (path) => {
    const short = relative(folder, path)
    return quoted(short === '' || short.startsWith('..') ? path : short)
  }
}
