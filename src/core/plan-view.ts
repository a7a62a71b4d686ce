import { parseWorkloadKey } from '../model/ids.ts'
import type { Problem } from '../model/records.ts'
import type { PlanView } from '../model/views.ts'
import { type WorkloadChange, workloadTitle } from './plan-changes.ts'
import { planOrder } from './plan-order.ts'
import { countPlan, holdText, notesOf, type PlanContext, renderPlan } from './plan-text.ts'

export interface PlanViewContext extends PlanContext {
  readonly problems: readonly Problem[]
  /** Of all that the plan was made from; empty where nothing can be done by it. */
  readonly fingerprint: string
}

type ChangeView = PlanView['changes'][number]

/** A plan as scripts and the API have it: the changes, and the text of `renderPlan`. Secrets are masked in both. */
export function planView(changes: readonly WorkloadChange[], context: PlanViewContext): PlanView {
  const { app, from, to, problems, fingerprint, workloadHolds, holds = [] } = context
  const held = changes.flatMap(({ key }) => (workloadHolds?.get(key) ?? []).map((hold) => `${workloadTitle(key)}: ${holdText(hold)}`))
  return {
    app,
    from,
    to,
    changes: changes.flatMap((change) => changeView(change, context)),
    counts: countPlan(changes),
    problems: [...problems],
    holds: [...held, ...holds.map(holdText)],
    order: planOrder(changes, context.removals).map((wave) => wave.map(workloadTitle)),
    fingerprint,
    text: renderPlan(changes, context),
  }
}

function changeView(change: WorkloadChange, { room, workloadHolds }: PlanContext): ChangeView[] {
  const { key, action, fields } = change
  if (action === 'none') return []
  const { namespace, kind, name } = parseWorkloadKey(key)
  const notes = [...notesOf(change, room), ...(workloadHolds?.get(key) ?? []).map(holdText)]
  const shown = fields.map(({ path, before, after, forcesRestart }) => ({ path, before, after, forcesRestart }))
  return [{ action, namespace, kind, name, fields: shown, notes }]
}
