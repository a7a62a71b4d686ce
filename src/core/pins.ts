import type { AgentId } from '../model/ids.ts'
import type { ImagePins } from '../model/rollout.ts'

type Images = Readonly<Record<string, string>>

/** What a registry knows by its content is the same on every machine; an image's id is only known where it is. */
const isEverywhere = (image: string): boolean => image.includes('@sha256:')

/** The images that a task on this agent must run: what the agent itself ran of this template before, else what others did. */
export function pinnedImages(pins: ImagePins, agent: AgentId): Images {
  const elsewhere = Object.values(pins).flatMap((images) => Object.entries(images).filter(([, image]) => isEverywhere(image)))
  return { ...Object.fromEntries(elsewhere), ...pins[agent] }
}

/** The pins with what an agent says it resolved; the first word counts, for a tag may have moved since. Null: nothing new. */
export function withImages(pins: ImagePins, agent: AgentId, images: Images): ImagePins | null {
  const known = pins[agent] ?? {}
  const isNew = Object.keys(images).some((unit) => known[unit] === undefined)
  return isNew ? { ...pins, [agent]: { ...images, ...known } } : null
}
