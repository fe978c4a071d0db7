/** What parts of an installation find each other by, before anything is deployed. */
export function names(installation: string) {
  const group = (part: string): string => `/aqueduct/${installation}/${part}`
  return {
    /** SSM parameters that hold the id of the newest image. */
    imageParameters: { node: group('node-image'), controlPlane: group('control-plane-image') },
    logGroups: { api: group('api'), provisioner: group('provisioner'), edge: group('edge'), node: group('node') },
    settingsParameter: (part: string): string => group(`settings/${part}`),
    /** The tag of everything that the provisioner makes. What stands in `infra/` has it nowhere: the provisioner may end what has it. */
    madeTag: 'aqueduct:installation',
    /** The tag of everything that stands in `infra/`. */
    infraTag: 'aqueduct:infra',
  } as const
}
