/** The life of a namespace row. `deleted` is a tombstone that stays for ever: an id is never given twice. */
export type NamespaceState =
  | 'activating'
  | 'activation_failed'
  | 'active'
  | 'updating'
  | 'update_failed'
  | 'deleting'
  | 'delete_failed'
  | 'deleted'
