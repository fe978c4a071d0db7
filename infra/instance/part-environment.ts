/** What Parameter Store holds of one part: `/aqueduct/<installation>/settings/<part>`, as `infra/control-plane` writes it. */
export interface PartSettings {
  readonly environment: Readonly<Record<string, string>>
  /** Database servers whose owner the part is, or prepares the database as: by the setting that takes the URL. */
  readonly owners?: Readonly<Record<string, { readonly url: string; readonly secret: string; readonly file: string }>>
  /** Settings that are a secret each, if the secret looks like a URL of one of these schemes. */
  readonly secretUrls?: Readonly<Record<string, { readonly secret: string; readonly schemes: readonly string[] }>>
}

/** `{"username", "password"}`, as RDS writes it. */
type SecretReader = (id: string) => string

/**
 * The environment files of one part, by their names: the part's own, and `prepare.env` where the part prepares the database.
 * @throws Error when a secret is not what it has to be; never with the secret in it.
 */
export function environmentFiles(
  part: string,
  settings: PartSettings,
  secret: SecretReader,
): Readonly<Record<string, string>> {
  const own = `${part}.env`
  const files: Record<string, Record<string, string>> = { [own]: { ...settings.environment } }
  for (const [name, owner] of Object.entries(settings.owners ?? {})) {
    // One that is not the part's own has nothing but the owner: its unit says the rest.
    files[owner.file] ??= {}
    const file = files[owner.file]
    if (file !== undefined) file[name] = ownerUrl(owner.url, secret(owner.secret))
  }
  for (const [name, { secret: id, schemes }] of Object.entries(settings.secretUrls ?? {})) {
    const value = secret(id).trim()
    const file = files[own]
    if (file !== undefined && schemes.includes(URL.parse(value)?.protocol ?? '')) file[name] = value
  }
  return Object.fromEntries(Object.entries(files).map(([file, values]) => [file, environmentFile(values)]))
}

function ownerUrl(url: string, owner: string): string {
  let parsed: unknown
  try {
    parsed = JSON.parse(owner)
  } catch {
    throw new Error('the secret of a database’s owner is not JSON')
  }
  const { username, password } = parsed as Record<string, unknown>
  if (typeof username !== 'string' || typeof password !== 'string') {
    throw new Error('the secret of a database’s owner has no username or no password')
  }
  const full = new URL(url)
  full.username = encodeURIComponent(username)
  full.password = encodeURIComponent(password)
  return full.href
}

/** As systemd reads it: quoted, with what means something inside quotes escaped. */
function environmentFile(values: Readonly<Record<string, string>>): string {
  return Object.entries(values)
    .map(([name, value]) => {
      if (!/^[A-Z][A-Z0-9_]*$/.test(name) || /[\n\r\0]/.test(value)) throw new Error(`${name} cannot be a setting`)
      return `${name}="${value.replaceAll(/["\\`$]/g, '\\$&')}"\n`
    })
    .join('')
}
