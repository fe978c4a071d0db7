/** Each namespace's chain answers this path, to a probe token alone, with `{"generation": n}`. */
export const edgeVersionPath = '/aqueduct.edge.v1/version'
