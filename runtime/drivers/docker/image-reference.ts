/** What the engine says of an image that it has. */
export interface ImageIdentity {
  readonly Id: string
  /** `repository@sha256:...`, one for each registry's repository it was pulled from or pushed to; null for none. */
  readonly RepoDigests?: readonly string[] | null | undefined
}

/**
 * The reference that means this very image for good: by digest where the image's own repository knows it, so that any machine
 * can pull the same; else the id, which only this machine knows.
 */
export function lastingReference(image: string, { Id, RepoDigests }: ImageIdentity): string {
  const repository = repositoryOf(image)
  const known = [...(RepoDigests ?? [])].filter((reference) => repositoryOf(reference) === repository).sort()
  const [, digest] = image.split('@')
  return known.find((reference) => digest !== undefined && reference.endsWith(`@${digest}`)) ?? known[0] ?? Id
}

/** Without tag and digest, as the engine writes it: Docker Hub goes without saying. */
function repositoryOf(reference: string): string {
  const [name = ''] = reference.split('@', 1)
  const untagged = name.replace(/:[^/:]*$/, '')
  return untagged.replace(/^(index\.)?docker\.io\//, '').replace(/^library\//, '')
}

/** By digest in a repository, unlike an id or a tag. */
export const isDigestReference = (reference: string): boolean => reference.includes('@')
