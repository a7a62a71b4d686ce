import type { ArtifactSpec, TaskSpec } from '../../src/model/task-spec.ts'
import type { Prepared } from '../driver.ts'
import type { FetchTree, TreeCache } from '../trees.ts'
import { type DownloadCache, downloadKey } from './downloads.ts'

export interface ArtifactSources {
  readonly trees: TreeCache
  readonly fetchTree: FetchTree
  readonly downloads: DownloadCache
}

/** What tasks ship, on this machine. */
export interface Artifacts {
  /** Where each of a task's artifacts is, by `artifactKey`, after fetching what is not there. @throws RetryableError, TerminalError */
  prepare(spec: TaskSpec, signal: AbortSignal): Promise<Prepared['artifacts']>
  /** What these tasks ship stays; of the rest only the most recently used few. */
  retain(specs: readonly TaskSpec[]): Promise<void>
}

/** Says what the content is, so that two artifacts with the same one are there once. */
export const artifactKey = (artifact: ArtifactSpec): string => ('tree' in artifact ? artifact.tree : downloadKey(artifact.download))

const artifactsOf = ({ units }: TaskSpec): ArtifactSpec[] => units.flatMap((unit) => unit.artifacts)

export function createArtifacts({ trees, fetchTree, downloads }: ArtifactSources): Artifacts {
  const ensure = async (artifact: ArtifactSpec, signal: AbortSignal): Promise<string> =>
    'tree' in artifact ? await trees.ensure(artifact.tree, { fetch: fetchTree, signal }) : await downloads.ensure(artifact.download, signal)

  return {
    async prepare(spec, signal) {
      const wanted = new Map(artifactsOf(spec).map((artifact) => [artifactKey(artifact), artifact]))
      const paths = [...wanted].map(async ([key, artifact]) => [key, await ensure(artifact, signal)] as const)
      return Object.fromEntries(await Promise.all(paths))
    },
    async retain(specs) {
      const used = specs.flatMap(artifactsOf)
      await trees.retain(new Set(used.flatMap((artifact) => ('tree' in artifact ? [artifact.tree] : []))))
      await downloads.retain(new Set(used.flatMap((artifact) => ('tree' in artifact ? [] : [downloadKey(artifact.download)]))))
    },
  }
}
