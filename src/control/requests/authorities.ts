import { X509Certificate } from 'node:crypto'
import { must } from '../../lib/must.ts'
import type { Keyring } from '../../lib/seal.ts'
import type { Millis } from '../../model/ids.ts'
import type { AuthorityRecord } from '../../model/trust.ts'
import type { AuthorityView } from '../../model/trust-wire.ts'
import { AGENT_LIFE, createRoot } from '../../trust/authority.ts'
import { pinOf } from '../../trust/roots.ts'
import type { TurnContext } from '../leader/term.ts'
import { inTurn } from '../source/source.ts'
import type { ServerTrust } from '../trust/server-trust.ts'
import { RequestError } from './control-plane.ts'
import type { Leading } from './requests.ts'
import { iso, isoOrNull } from './times.ts'

/** A root is made aside and takes its place in a turn. @throws RequestError `Conflict` while an older one still retires. */
export async function rotate(
  leading: Leading,
  { server, keyring, actor }: { server: ServerTrust; keyring: Keyring; actor: string },
): Promise<AuthorityView[]> {
  assertSettled(leading)
  const { authority } = server
  const next = await createRoot({ cluster: authority.cluster, keyring, now: leading.term.now(), before: authority })
  await inTurn(leading, (turn) => {
    const active = assertSettled(leading)
    turn.draft.write({ table: 'authorities', id: next.id, value: next })
    turn.draft.write({ table: 'authorities', id: active.id, value: { ...active, state: 'Retiring', retiredAt: turn.now } })
    tell(turn, { reason: 'AuthorityRotated', message: `root ${short(next)} signs, ${short(active)} is still believed`, actor })
  })
  return authorityViews(leading)
}

/** The one root there is. @throws RequestError `Conflict` when there are two. */
function assertSettled({ term }: Leading): AuthorityRecord {
  const all = [...term.cluster.authorities.values()]
  const retiring = all.find(({ state }) => state === 'Retiring')
  if (retiring !== undefined)
    throw new RequestError(
      'Conflict',
      `root ${short(retiring)} still retires: drover ca rotate --finish drops it, when nothing needs it any more`,
    )
  return must(all[0], 'a cluster with tokens has a root')
}

/** @throws RequestError `Conflict` when none retires, or while certificates that it signed may still be good. */
export async function finishRotation(
  leading: Leading,
  { drop, actor }: { drop: 'WhenUnused' | 'Anyway'; actor: string },
): Promise<AuthorityView[]> {
  await inTurn(leading, (turn) => {
    const retiring = [...leading.term.cluster.authorities.values()].filter(({ state }) => state === 'Retiring')
    if (retiring.length === 0) throw new RequestError('Conflict', 'no root retires: drover ca rotate begins a rotation')
    const needed = retiring.find((record) => turn.now < (droppableAt(record) ?? 0))
    if (needed !== undefined && drop === 'WhenUnused') throw new RequestError('Conflict', stillNeeded(needed))
    for (const record of retiring) {
      turn.draft.write({ table: 'authorities', id: record.id, value: null })
      tell(turn, { reason: 'AuthorityDropped', message: `root ${short(record)} is believed no more`, actor })
    }
  })
  return authorityViews(leading)
}

const stillNeeded = (record: AuthorityRecord): string =>
  `agents may have certificates of root ${short(record)} until ${iso(droppableAt(record) ?? 0)}; wait until then, or drop it with --force: agents that have not renewed since must then join again`

/** The last certificate that it signed for an agent ends then. */
const droppableAt = ({ retiredAt }: AuthorityRecord): Millis | null => (retiredAt === null ? null : retiredAt + AGENT_LIFE)

const short = ({ id }: AuthorityRecord): string => id.slice(0, 12)

function tell({ draft, now }: TurnContext, event: { reason: string; message: string; actor: string }): void {
  draft.event({ object: 'cluster/authority', app: null, level: 'Normal', ...event }, now)
}

/** The newest first. */
export function authorityViews({ term }: Leading): AuthorityView[] {
  const all = [...term.cluster.authorities.values()].toSorted((a, b) => b.createdAt - a.createdAt)
  return all.map((record) => ({
    id: record.id,
    state: record.state,
    pin: pinOf(new X509Certificate(record.certificate)),
    createdAt: iso(record.createdAt),
    expiresAt: iso(record.expiresAt),
    retiredAt: isoOrNull(record.retiredAt),
    droppableAt: isoOrNull(droppableAt(record)),
  }))
}
