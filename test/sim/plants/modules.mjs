// What `core-bugs.ts` replaces: modules below `src`, and the names that each of them exports for that.
export const WOVEN = {
  'core/rollout/rolling': ['planRolling'],
  'core/rollout/follow': ['overtaken'],
  'core/rollout/event': ['nextEvent', 'rolloutWakeAt'],
  'core/rollout/keep': ['planKeep'],
  'core/returns': ['planReturns'],
  'core/sync': ['planSync'],
  'core/batch/plan-job': ['planJob'],
  'core/batch/run-step': ['slotsInUse'],
  'core/batch/cron-due': ['dueRuns'],
  'core/batch/cron-slots': ['dueSlots'],
  'core/batch/leave': ['leavingTasks'],
  'control/agents/hub': ['Hub'],
  'control/leader/moves': ['writeQuarantine'],
  'lib/backoff': ['fullJitter'],
  'model/task': ['mayFollow'],
  'store/leadership': ['lead'],
}
