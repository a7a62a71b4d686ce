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

/** A record of so many machines, each with an image id of its own, is well below what a store takes (256 kB). */
const MOST_AGENTS = 1_000

/**
 * The pins with what an agent says it resolved; the first word counts, for a tag may have moved since. What another machine
 * has told already holds everywhere and is not written once more. Null: nothing new.
 */
export function withImages(pins: ImagePins, agent: AgentId, images: Images): ImagePins | null {
  const own = pins[agent] ?? {}
  const given = pinnedImages(pins, agent)
  const fresh = Object.entries(images).filter(([unit, image]) => own[unit] === undefined && given[unit] !== image)
  const isFull = pins[agent] === undefined && Object.keys(pins).length >= MOST_AGENTS
  return fresh.length === 0 || isFull ? null : { ...pins, [agent]: { ...Object.fromEntries(fresh), ...own } }
}
