import { channelPair } from '../../src/lib/channel-pair.ts'
import { describeChannel, TestFrame } from '../runtime/channel-suite.ts'

const parse = (value: unknown): TestFrame => TestFrame.parse(value)

describeChannel({
  name: 'in process',
  open: async () => ({ ...channelPair<TestFrame, TestFrame>({ parseA: parse, parseB: parse }), end: async () => undefined }),
})
