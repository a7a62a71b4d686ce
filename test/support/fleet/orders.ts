/** What a test asks of the machine its agents are on. */
export type Order = { readonly do: 'kill'; readonly agent: string } | { readonly do: 'end' }

export interface Killed {
  readonly type: 'killed'
  /** Strangers that got the pids of tasks of this agent while it was not there. */
  readonly strangers: number
}

export interface Ended {
  readonly type: 'ended'
  /** All strangers, and those of them that somebody ended. */
  readonly strangers: readonly number[]
  readonly endedStrangers: readonly number[]
}

export type Answer = { readonly type: 'ready' } | Killed | Ended
