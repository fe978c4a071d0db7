import type { Client } from 'pg'

const queries: Readonly<Record<string, string>> = {
  columns: `
    select format('%s.%s %s%s%s', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
      case when a.attnotnull then ' not null' else '' end,
      case when a.attidentity <> '' then ' identity' else coalesce(' default ' || pg_get_expr(d.adbin, d.adrelid), '') end) as line
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
    where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' order by c.relname, a.attnum`,
  constraints: `
    select format('%s: %s', conrelid::regclass, pg_get_constraintdef(oid)) as line from pg_constraint
    where connamespace = 'public'::regnamespace and contype <> 'n' order by 1`,
  indexes: "select indexdef as line from pg_indexes where schemaname = 'public' order by 1",
  'row-level security': `
    select format('%s: %s for %s to %s using %s check %s', tablename, policyname, cmd, array_to_string(roles, ', '), qual, with_check) as line
    from pg_policies where schemaname = 'public' order by 1`,
  'tables without row-level security': `
    select relname as line from pg_class where relnamespace = 'public'::regnamespace and relkind = 'r' and not relrowsecurity order by 1`,
  triggers: `
    select pg_get_triggerdef(t.oid) as line from pg_trigger t join pg_class c on c.oid = t.tgrelid
    where c.relnamespace = 'public'::regnamespace and not t.tgisinternal order by 1`,
  functions: `
    select format('%s owner %s%s', p.oid::regprocedure, r.rolname, case when p.prosecdef then ' security definer' else '' end) as line
    from pg_proc p join pg_roles r on r.oid = p.proowner where p.pronamespace = 'public'::regnamespace
      and r.rolname like 'aqueduct%' order by 1`,
  'what each role may do': `
    select format('%s on %s: %s', grantee, table_name, string_agg(privilege_type, ', ' order by privilege_type)) as line
    from information_schema.role_table_grants where table_schema = 'public' and grantee like 'aqueduct%'
    group by grantee, table_name order by 1`,
  'columns that a role may update, where it is not all': `
    select format('%s on %s: %s', c.grantee, c.table_name, string_agg(c.column_name, ', ' order by c.column_name)) as line
    from information_schema.column_privileges c
    where c.table_schema = 'public' and c.grantee like 'aqueduct%' and c.privilege_type = 'UPDATE' and not exists (
      select from information_schema.role_table_grants t where t.table_schema = 'public' and t.grantee = c.grantee
        and t.table_name = c.table_name and t.privilege_type = 'UPDATE')
    group by c.grantee, c.table_name order by 1`,
}

/** What the migrations made of a database, as text that is compared with a golden file. */
export async function describeSchema(client: Client): Promise<string> {
  const parts: string[] = []
  for (const [title, sql] of Object.entries(queries)) {
    const { rows } = await client.query<{ line: string }>(sql)
    parts.push(`-- ${title}\n${rows.map((row) => row.line).join('\n')}\n`)
  }
  return parts.join('\n')
}
