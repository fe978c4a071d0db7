type Components = Readonly<Record<string, object>>

/** The components of one kind that something in the document refers to: the others would only be in the way. */
export function referred(kind: 'responses' | 'headers', components: Components, document: object): Components {
  const text = JSON.stringify(document)
  return Object.fromEntries(
    Object.entries(components).filter(([name]) => text.includes(`"#/components/${kind}/${name}"`)),
  )
}
