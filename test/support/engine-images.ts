import Docker from 'dockerode'
import { EXAMPLE_IMAGE } from './setup/ensure-images.mjs'

/** A tag of the tests' own on the engine that they share, and what runs behind it. */
export class EngineImages {
  readonly #docker = new Docker({ socketPath: process.env.DROVER_TEST_DOCKER ?? '/var/run/docker.sock' })
  readonly #tags = new Set<string>()

  /** `name` (REPO:TAG) means the example image from now on. @returns the image's id */
  async tagExample(name: string): Promise<string> {
    return this.#tag(EXAMPLE_IMAGE, name)
  }

  /** `name` means another image from now on, which does the same. @returns its id */
  async moveTag(name: string): Promise<string> {
    const container = await this.#docker.createContainer({ Image: EXAMPLE_IMAGE })
    const { Id } = (await container.commit({ changes: 'LABEL moved=yes' })) as { Id: string }
    await container.remove()
    return this.#tag(Id, name)
  }

  /** Ids of the images that the containers of these tasks run, each once. */
  async imagesOf(tasks: ReadonlySet<string>): Promise<Set<string>> {
    const containers = await this.#docker.listContainers({ filters: { label: ['drover.dev/task'] } })
    const own = containers.filter(({ Labels }) => tasks.has(Labels['drover.dev/task'] ?? ''))
    return new Set(own.map(({ ImageID }) => ImageID))
  }

  /** Tasks of the app whose containers run although they are not among `tasks`. */
  async strangers(app: string, tasks: ReadonlySet<string>): Promise<string[]> {
    const containers = await this.#docker.listContainers({ filters: { label: [`drover.dev/app=${app}`] } })
    return containers.map(({ Labels }) => Labels['drover.dev/task'] ?? '').filter((task) => !tasks.has(task))
  }

  /** Takes the tags away; an image goes with its last one. */
  async removeTags(): Promise<void> {
    for (const name of this.#tags) await this.#docker.getImage(name).remove({ force: true })
  }

  async #tag(image: string, name: string): Promise<string> {
    const [repo = '', tag = ''] = name.split(':')
    await this.#docker.getImage(image).tag({ repo, tag })
    this.#tags.add(name)
    return (await this.#docker.getImage(name).inspect()).Id
  }
}
