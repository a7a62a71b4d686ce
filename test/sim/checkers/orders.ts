import type { AgentFrame } from '../../../src/model/protocol.ts'
import type { MakeChecker } from '../checker.ts'

/** An agent never forgets the newest leader it obeyed, as long as its state directory lives: its greetings name no lower epoch than before. */
export const ordersChecker: MakeChecker = ({ findings }) => {
  const greeted = new Map<string, number>()
  return {
    delivered({ direction, frame, agent }) {
      if (direction === 'toAgent') return
      const said = frame as AgentFrame
      if (said.type !== 'hello') return
      const before = greeted.get(said.agent.instance) ?? 0
      if (said.epoch < before) findings.report('EpochRemembered', `${agent} greets with epoch ${said.epoch}, it knew ${before}`)
      greeted.set(said.agent.instance, Math.max(before, said.epoch))
    },
  }
}
