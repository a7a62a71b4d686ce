import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type GitHttpServer, startGitHttp } from '../../support/git-http.ts'
import { type FixtureRepo, makeRepo } from '../../support/git-repo.ts'
import { HUB } from './network.ts'

/** `hangs`: it takes requests and never answers. `slow`: each answer begins seconds later. */
export type GitMood = 'serves' | 'fails' | 'hangs' | 'slow'

const SLOW_MS = 6_000
const NAME = 'demo'

/** The repository that the cluster follows, over HTTP; its server's mood is up to the test. */
export class GitServer {
  readonly repo: FixtureRepo
  mood: GitMood = 'serves'
  #server: GitHttpServer | null = null

  static async start(root: string): Promise<GitServer> {
    const folder = join(root, 'git')
    const git = new GitServer(makeRepo(join(folder, NAME)))
    git.#server = await startGitHttp({ root: folder, host: HUB, intercept: (response) => git.#meet(response) })
    return git
  }

  private constructor(repo: FixtureRepo) {
    this.repo = repo
  }

  get url(): string {
    return `${this.#server?.url}/${NAME}/.git`
  }

  async close(): Promise<void> {
    await this.#server?.close()
  }

  async #meet(response: ServerResponse): Promise<'Serve' | 'Taken'> {
    switch (this.mood) {
      case 'serves':
        return 'Serve'
      case 'slow':
        await sleep(SLOW_MS)
        return 'Serve'
      case 'fails':
        response.writeHead(500).end('out of order')
        return 'Taken'
      case 'hangs':
        return 'Taken'
      default:
        return this.mood satisfies never
    }
  }
}
