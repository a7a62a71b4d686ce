import type { SyncPolicy } from '../model/manifest.ts'
import type { Problem } from '../model/records.ts'
import type { CheckedFile } from './blob.ts'
import { cleanPath } from './clean-path.ts'
import { problemAt } from './problem.ts'

const folderOf = (path: string): string => cleanPath(path.split('/').slice(0, -1).join('/'))

/** The policy of the app whose path is given. An App document elsewhere, broken or doubtful leaves the policy as it is. */
export function linkApp(
  files: readonly CheckedFile[],
  appPath: string,
): { policy: SyncPolicy | null; policyBroken: boolean; problems: Problem[] } {
  const root = cleanPath(appPath)
  const apps = files.flatMap(({ path, documents }) =>
    documents.flatMap((document) => (document.identity?.kind === 'App' || document.manifest?.kind === 'App' ? [{ path, document }] : [])),
  )
  const hint = 'the app itself is named on the command line; its App document only sets its policy'
  const misplaced = apps.filter(({ path }) => folderOf(path) !== root)
  const [first, ...others] = apps.filter(({ path }) => folderOf(path) === root)
  const problems = [
    ...misplaced.map(({ path, document }) =>
      problemAt(path, document.at, { message: `an App document must be at the root of the app's path, ${root}`, hint }),
    ),
    ...others.map(({ path, document }) =>
      problemAt(path, document.at, {
        message: `an app has one App document; the first is in ${first?.path}:${first?.document.at.line}`,
        hint,
      }),
    ),
  ]
  const manifest = first?.document.manifest
  const usable = problems.length === 0 && manifest?.kind === 'App'
  const hidden = files.some((file) => file.unreadable && folderOf(file.path) === root)
  return {
    policy: usable ? manifest.spec.sync : null,
    policyBroken: !usable && (apps.length > 0 || hidden),
    problems,
  }
}
