import { Client, escapeIdentifier, escapeLiteral } from 'pg'

/** A role or database of a cell, as it stands on the server. */
export interface MarkedObject {
  readonly kind: 'role' | 'database'
  readonly name: string
  /** Without the ending of the second database: one name for all that belongs to a cell. */
  readonly cellName: string
  /** Whose it is: the id of an installation; undefined where nobody said. A database without a mark has its owner's. */
  readonly installation: string | undefined
}

const words = 'aqueduct installation '

/** Reads what is named as a cell's. @param cellName only what belongs to this one */
export async function readMarks(client: Client, cellName?: string): Promise<readonly MarkedObject[]> {
  const { rows } = await client.query<{ kind: 'role' | 'database'; name: string; mark: string | null }>(`
    select 'role' as kind, rolname as name, shobj_description(oid, 'pg_authid') as mark
    from pg_roles where rolname ~ '^cell_[a-z0-9_]+$'
    union all
    select 'database', datname, coalesce(shobj_description(oid, 'pg_database'), shobj_description(datdba, 'pg_authid'))
    from pg_database where datname ~ '^cell_[a-z0-9_]+$'
    order by 1, 2`)
  const objects = rows.map(({ kind, name, mark }) => ({
    kind,
    name,
    cellName: kind === 'database' ? name.replace(/_visibility$/, '') : name,
    installation: mark?.startsWith(words) === true ? mark.slice(words.length) : undefined,
  }))
  return cellName === undefined ? objects : objects.filter((object) => object.cellName === cellName)
}

/** The same of a whole server, over a connection of its own. */
export async function listMarks(adminUrl: string): ReturnType<typeof readMarks> {
  const client = new Client({ connectionString: adminUrl })
  await client.connect()
  try {
    return await readMarks(client)
  } finally {
    await client.end()
  }
}

/** @throws Error when something of the cell's name is another installation's: it is not ours to change or to drop. */
export async function refuseOthers(client: Client, cellName: string, installation: string): Promise<void> {
  for (const object of await readMarks(client, cellName)) {
    if (object.installation !== undefined && object.installation !== installation) {
      throw new Error(`the ${object.kind} ${object.name} belongs to another installation, ${object.installation}`)
    }
  }
}

/** Says whose a role or database is. Safe to repeat. */
export async function mark(
  client: Client,
  { kind, name }: Pick<MarkedObject, 'kind' | 'name'>,
  installation: string,
): Promise<void> {
  const what = kind === 'role' ? 'ROLE' : 'DATABASE'
  await client.query(`COMMENT ON ${what} ${escapeIdentifier(name)} IS ${escapeLiteral(`${words}${installation}`)}`)
}
