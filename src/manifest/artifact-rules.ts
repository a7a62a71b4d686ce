import type { Artifact } from '../model/template.ts'
import { isUnpacked, placeOf } from './artifact.ts'
import type { Located } from './issues.ts'
import type { Path } from './positions.ts'
import { broken } from './rule.ts'

/** What the schema cannot say of a unit's artifacts; `check` judges the place where one ends up. */
export function artifactRules(artifacts: readonly Artifact[], at: Path, check: (path: Path, place: string) => Located[]): Located[] {
  return artifacts.flatMap((artifact, index) => {
    const path = [...at, index]
    const own = ownRules(artifact, path)
    const place = placeOf(artifact)
    if (place !== null) return [...own, ...check([...path, 'destination'], place)]
    return own.length > 0 ? own : [broken(path, 'names no file: its URL ends without a name', 'give the path of the file as destination')]
  })
}

function ownRules(artifact: Artifact, at: Path): Located[] {
  if (artifact.url === undefined) return idleWithGit(artifact, at)
  return [...address(artifact.url, at), ...checksum(artifact, at), ...packing(artifact, at)]
}

function idleWithGit(artifact: Artifact, at: Path): Located[] {
  const fields = (['sha256', 'unpack', 'executable'] as const).filter((field) => artifact[field] !== undefined)
  const hint = 'remove it: a folder of the repository is shipped as it is at the commit'
  return fields.map((field) => broken([...at, field], 'has no meaning with git', hint))
}

/** First match decides. */
const ADDRESSES: readonly { wrong: (url: URL) => boolean; clause: string; hint: string }[] = [
  {
    wrong: ({ protocol }) => protocol !== 'https:' && protocol !== 'http:',
    clause: 'must begin with https:// or http://',
    hint: 'what is in the repository is shipped with `git: FOLDER`',
  },
  {
    wrong: ({ username, password }) => username !== '' || password !== '',
    clause: 'must not hold a user name or password',
    hint: 'machines fetch it as anybody: serve it where they may read it, or fetch it in the task with a Secret in its environment',
  },
  { wrong: ({ hash }) => hash !== '', clause: 'must not have a part after "#"', hint: 'remove it: it is never sent to a server' },
]

function address(url: string, at: Path): Located[] {
  const path = [...at, 'url']
  if (/\s/.test(url)) return [broken(path, 'must not hold white space', 'write a space as %20')]
  if (!URL.canParse(url)) return [broken(path, 'is no address', 'for example https://example.com/tool-1.4.tar.gz')]
  const parsed = new URL(url)
  const mistake = ADDRESSES.find(({ wrong }) => wrong(parsed))
  return mistake === undefined ? [] : [broken(path, mistake.clause, mistake.hint)]
}

function checksum({ sha256 }: Artifact, at: Path): Located[] {
  if (sha256 !== undefined) return []
  return [broken(at, 'is missing the field `sha256`', '`curl -fsSL URL | sha256sum` tells it')]
}

/** As far as a name tells: what else is no tar archive is refused on the machine. */
const OTHER_PACKING = /\.(zip|jar|7z|rar|xz|txz|bz2|tbz2?|zst|tzst|lz4)$/i

function packing(artifact: Artifact, at: Path): Located[] {
  const { url, unpack, executable } = artifact
  if (unpack === true && url !== undefined && OTHER_PACKING.test(url)) {
    const hint = 'pack it as .tar.gz, or remove `unpack` and unpack it in the task'
    return [broken([...at, 'unpack'], 'is only for tar archives, plain or in gzip', hint)]
  }
  if (executable === undefined || !isUnpacked(artifact)) return []
  const hint = 'remove it: the archive says which of its files are programs'
  return [broken([...at, 'executable'], 'has no meaning for an archive that is unpacked', hint)]
}
