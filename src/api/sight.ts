import type { Caller } from '../control/trust/trust-plane.ts'
import type { AppView, EventView } from '../model/views.ts'

/** What of a list its reader may see. */
export interface Sight {
  readonly items: <T extends { readonly namespace: string }>(items: readonly T[]) => readonly T[]
  /** Apps that are wholly in namespaces of the reader. */
  readonly apps: (apps: readonly AppView[]) => readonly AppView[]
  /** Of those apps, and of workloads in those namespaces. */
  readonly events: (events: readonly EventView[], apps: readonly AppView[]) => readonly EventView[]
}

const EVERYTHING: Sight = { items: (items) => items, apps: (apps) => apps, events: (events) => events }

/** As the one who asks is bound to namespaces; undefined: whoever asks is trusted. */
export function sightOf(caller: Caller | undefined): Sight {
  if (caller === undefined || caller.namespaces === null) return EVERYTHING
  const own = new Set(caller.namespaces)
  const apps = (all: readonly AppView[]) =>
    all.filter(({ workloads }) => workloads.length > 0 && workloads.every(({ namespace }) => own.has(namespace)))
  return {
    items: (items) => items.filter(({ namespace }) => own.has(namespace)),
    apps,
    events: (events, all) => {
      const visible = new Set(apps(all).map(({ name }) => name))
      return events.filter(({ app, object }) => (app !== null && visible.has(app)) || own.has(WORKLOAD.exec(object)?.[1] ?? ''))
    },
  }
}

const WORKLOAD = /^(?:deployment|job|cronjob)\/([^/]+)\/[^/]+$/
