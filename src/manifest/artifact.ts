import type { Artifact } from '../model/template.ts'
import { cleanPath } from './clean-path.ts'

/** The last part of the path, as browsers and curl name what they save; null when there is none that is a name. */
function fileNameOf(url: string): string | null {
  try {
    const name = decodeURIComponent(new URL(url).pathname.split('/').at(-1) ?? '')
    return /^\.{0,2}$|[/\p{Cc}]/u.test(name) ? null : name
  } catch {
    return null
  }
}

const ARCHIVE = /\.(tar|tar\.gz|tgz)$/i

/** Whether a download is unpacked. */
export function isUnpacked({ url, unpack }: Artifact): boolean {
  return unpack ?? ARCHIVE.test(fileNameOf(url ?? '') ?? '')
}

const isFolder = (destination: string): boolean => /(^|\/)\.?$/.test(destination)

/**
 * Where it ends up, in one spelling: a folder for what is a folder, else the path of the one file. As in a Dockerfile's
 * ADD, a file that is given a folder keeps the name it has in its URL. Null when it has none there.
 */
export function placeOf(artifact: Artifact): string | null {
  const { url, destination } = artifact
  if (url === undefined || isUnpacked(artifact) || !isFolder(destination)) return cleanPath(destination)
  const name = fileNameOf(url)
  return name === null ? null : cleanPath(`${destination}/${name}`)
}

/** Says what follows from its URL, so that the same thing said otherwise is no change. Takes only what the rules let pass. */
export function normalizeArtifact(artifact: Artifact): Artifact {
  const { git, url, sha256, destination } = artifact
  if (git !== undefined) return { git: cleanPath(git), destination: cleanPath(destination) }
  if (url === undefined || sha256 === undefined) return artifact
  const unpack = isUnpacked(artifact)
  return {
    url: new URL(url).href,
    sha256: sha256.toLowerCase(),
    unpack,
    ...(unpack ? {} : { executable: artifact.executable ?? false }),
    destination: placeOf(artifact) ?? cleanPath(destination),
  }
}
