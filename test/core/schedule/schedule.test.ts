import { describe, expect, it } from 'vitest'
import { eligibleAgents, fits } from '../../../src/core/schedule/reasons.ts'
import { requirementsOf } from '../../../src/core/schedule/requirements.ts'
import { schedule } from '../../../src/core/schedule/schedule.ts'
import type { AgentView, PendingGroup, Requirements } from '../../../src/core/schedule/types.ts'
import { must } from '../../../src/lib/must.ts'
import type { Isolation, IsolationOffer } from '../../../src/model/process.ts'
import { TemplateSpec } from '../../../src/model/template.ts'
import { agent, agentId, group, MI, requirements, taskId } from './arbitrary.ts'

const used = (over: Partial<AgentView['used']>): AgentView['used'] => ({
  cpuMillis: 0,
  memoryBytes: 0,
  ports: new Set(),
  tasks: 0,
  ...over,
})
const place = (agents: AgentView[], ...pending: PendingGroup[]) => schedule({ agents, pending, seed: 1, tags: new Map() })
const agentsOf = (agents: AgentView[], ...pending: PendingGroup[]): string[] => place(agents, ...pending).placed.map((p) => p.agent)
const tally = (ids: readonly string[]): number[] =>
  [...new Set(ids)].map((id) => ids.filter((other) => other === id).length).sort((a, b) => a - b)
const asking = (over: Partial<Requirements>, tasks = 1): PendingGroup => group('w', tasks, { requirements: requirements(over) })

describe('requirementsOf', () => {
  it('asks for requests, else limits, else nothing, and tells fixed from dynamic ports', () => {
    const spec = TemplateSpec.parse({
      containers: [
        {
          name: 'web',
          image: 'nginx',
          resources: { requests: { cpu: '250m' }, limits: { cpu: 2, memory: '1Gi' } },
          ports: [
            { name: 'http', containerPort: 80 },
            { name: 'dns', containerPort: 53, hostPort: 53, protocol: 'UDP' },
          ],
        },
      ],
      placement: { nodeSelector: { disk: 'ssd' }, maxPerNode: 2 },
    })
    expect(requirementsOf(spec)).toEqual({
      cpuMillis: 250,
      memoryBytes: 1024 * MI,
      fixedPorts: [{ name: 'dns', port: 53, protocol: 'UDP' }],
      dynamicPorts: [{ name: 'http', protocol: 'TCP' }],
      nodeSelector: { disk: 'ssd' },
      constraints: [],
      spread: [],
      maxPerNode: 2,
      driver: 'docker',
      isolation: null,
    })
  })

  it('takes the driver from what the template holds, unless it is said', () => {
    const processes = [{ name: 'p', command: ['true'] }]
    expect(requirementsOf(TemplateSpec.parse({ processes }))).toMatchObject({
      driver: 'process',
      cpuMillis: 0,
      memoryBytes: 0,
      maxPerNode: null,
    })
    expect(requirementsOf(TemplateSpec.parse({ driver: 'fake', processes })).driver).toBe('fake')
    const sandboxed = processes.map((one) => ({ ...one, isolation: 'sandbox' }))
    expect(requirementsOf(TemplateSpec.parse({ processes: sandboxed })).isolation).toBe('sandbox')
  })
})

describe('packing', () => {
  it('fills a used agent before it opens an unused one', () => {
    const busy = agent('busy', { used: used({ cpuMillis: 1000, memoryBytes: MI, tasks: 1 }) })
    expect(agentsOf([agent('a'), agent('b'), busy, agent('c')], asking({}))).toEqual(['busy'])
  })

  it('takes the fullest of the used agents that fit', () => {
    const filled = (id: string, cpuMillis: number) => agent(id, { used: used({ cpuMillis, memoryBytes: MI, tasks: 1 }) })
    expect(agentsOf([filled('half', 2000), filled('most', 3500), filled('full', 3950)], asking({}))).toEqual(['most'])
  })

  it('gives no agent more than half of a workload while another has room, so that one loss never takes all', () => {
    const agents = ['a', 'b', 'c'].map((id) => agent(id))
    expect(tally(agentsOf(agents, asking({}, 2)))).toEqual([1, 1])
    expect(tally(agentsOf(agents, asking({}, 3)))).toEqual([1, 1, 1])
    expect(tally(agentsOf(agents, asking({}, 8)))).toEqual([4, 4])
    expect(tally(agentsOf([agent('only')], asking({}, 3)))).toEqual([3])
  })

  it('keeps a workload on two agents at least through a rolling update with a surge of one', () => {
    const agents = ['a', 'b', 'c'].map((id) => agent(id))
    const live = ['a', 'b']
    for (let step = 0; step < 6; step++) {
      const existing = new Map(agents.map(({ id }) => [id, live.filter((other) => other === id).length]))
      live.push(...agentsOf(agents, { ...asking({}), existing }))
      live.shift()
      expect(new Set(live).size).toBe(2)
    }
  })

  it('puts tasks that ask for nothing where the fewest tasks are', () => {
    const agents = [agent('a', { used: used({ tasks: 3 }) }), agent('b', { used: used({ tasks: 1 }) }), agent('c')]
    const ids = agentsOf(agents, group('w', 8, { requirements: requirements({ cpuMillis: 0, memoryBytes: 0 }) }))
    expect(ids.filter((id) => id === 'c')).toHaveLength(4)
    expect(ids.filter((id) => id === 'b')).toHaveLength(3)
  })

  it('sees what other groups placed between two groups of tasks that ask for nothing', () => {
    const agents = ['a', 'b', 'c', 'd', 'e'].map((id) => agent(id))
    const nothing = requirements({ cpuMillis: 0, memoryBytes: 0 })
    const bulk = group('b-bulk', 8, { requirements: requirements({ cpuMillis: 1000 }) })
    const pending = [group('a', 1, { requirements: nothing }), bulk, group('c', 3, { requirements: nothing })]
    for (let seed = 0; seed < 8; seed++) {
      const { placed } = schedule({ agents, pending, seed, tags: new Map() })
      const busy = new Set(placed.slice(0, -3).map((placement) => placement.agent))
      expect(placed.slice(-3).filter((placement) => busy.has(placement.agent))).toEqual([])
    }
  })

  it('keeps an agent in sight of every class when groups of two classes take turns on it', () => {
    const small = requirements()
    const large = requirements({ memoryBytes: 256 * MI })
    const groups = [small, large, small, large].map((asked, index) => group(`w${index}`, 1, { requirements: asked }))
    expect(place([agent('only')], ...groups).unplaced).toEqual([])
  })

  it('places a task that asks for nothing even on an agent that is over its capacity', () => {
    const over = agent('over', { used: used({ cpuMillis: 9000, tasks: 1 }) })
    expect(agentsOf([over], asking({ cpuMillis: 0 }))).toEqual(['over'])
  })

  it('does not always begin with the same of equal agents', () => {
    const agents = ['a', 'b', 'c', 'd'].map((id) => agent(id))
    const first = (seed: number) => schedule({ agents, pending: [asking({})], seed, tags: new Map() }).placed[0]?.agent
    expect(new Set(Array.from({ length: 40 }, (_, seed) => first(seed)))).toEqual(new Set(['a', 'b', 'c', 'd']))
  })

  it('asks each agent for its labels and runtime once for all groups that ask for the same', () => {
    let reads = 0
    const watched = Array.from({ length: 50 }, (_, index) =>
      Object.defineProperty(agent(`agent-${index}`), 'schedulable', {
        get: () => {
          reads += 1
          return true
        },
      }),
    )
    const groups = Array.from({ length: 100 }, (_, index) => group(`w${index}`, 5))
    expect(place(watched, ...groups).placed).toHaveLength(500)
    expect(reads).toBe(50)
  })
})

describe('order', () => {
  it('serves the oldest group first, then by id', () => {
    const one = [agent('only', { capacity: { cpuMillis: 100, memoryBytes: 1024 * MI, ports: { from: 1, to: 0 } } })]
    const first = (...groups: PendingGroup[]) => place(one, ...groups).placed.map(({ task }) => task)
    expect(first(group('a', 1, { createdAt: 2 }), group('b', 1, { createdAt: 1 }))).toEqual(['b-00000'])
    expect(first(group('b', 1), group('a', 1))).toEqual(['a-00000'])
  })

  it('counts no version of a workload towards maxPerNode of another, for the older is on its way out', () => {
    const asked = requirements({ maxPerNode: 1 })
    const newer = {
      ...group('w', 1),
      id: 'w-newer',
      createdAt: 1,
      requirements: { ...asked, cpuMillis: 200 },
      tasks: new Set([taskId('n')]),
    }
    const { placed, unplaced } = place([agent('only')], group('w', 1, { requirements: asked }), newer)
    expect(placed.map(({ task }) => task)).toEqual(['w-00000', 'n'])
    expect(unplaced).toEqual([])
  })

  it('does not let a group at its maxPerNode take an agent away from the next group of the class', () => {
    const asked = requirements({ maxPerNode: 1 })
    const { placed } = place([agent('only')], group('a', 2, { requirements: asked }), group('b', 1, { requirements: asked }))
    expect(placed.map(({ task }) => task)).toEqual(['a-00000', 'b-00000'])
  })
})

describe('ports', () => {
  const range = { cpuMillis: 4000, memoryBytes: 8192 * MI, ports: { from: 20_000, to: 20_003 } }

  it('gives fixed ports as asked and dynamic ones that nobody uses, once each', () => {
    const only = agent('only', { capacity: range, used: used({ ports: new Set([20_001]), tasks: 1 }) })
    const fixedPorts = [
      { name: 'dns', port: 53, protocol: 'TCP' as const },
      { name: 'dns-udp', port: 53, protocol: 'UDP' as const },
    ]
    const { placed } = place([only], asking({ fixedPorts, dynamicPorts: [{ name: 'http', protocol: 'TCP' }] }))
    const http = placed[0]?.ports.http
    expect(placed[0]?.ports).toEqual({ dns: 53, 'dns-udp': 53, http })
    expect([20_000, 20_002, 20_003]).toContain(http)
  })

  it('uses the whole range, then says that none is left', () => {
    const { placed, unplaced } = place(
      [agent('only', { capacity: range })],
      asking({ dynamicPorts: [{ name: 'http', protocol: 'TCP' }] }, 5),
    )
    expect(new Set(placed.map(({ ports }) => ports.http))).toEqual(new Set([20_000, 20_001, 20_002, 20_003]))
    expect(unplaced[0]?.reasons).toEqual([
      { code: 'NoPortLeft', message: 'agent only lacks ports: 1 asked, at most 0 free in the range', count: 1 },
    ])
  })

  it('begins at another port with another seed', () => {
    const wide = { ...range, ports: { from: 20_000, to: 29_999 } }
    const pending = [asking({ dynamicPorts: [{ name: 'http', protocol: 'TCP' }] })]
    const ports = [1, 2, 3].map(
      (seed) => schedule({ agents: [agent('only', { capacity: wide })], pending, seed, tags: new Map() }).placed[0]?.ports.http,
    )
    expect(new Set(ports).size).toBe(3)
  })
})

describe('Global mode', () => {
  it('puts a bound task on its agent or nowhere', () => {
    const agents = [agent('a'), agent('b', { schedulable: false })]
    const bound = new Map(['a', 'b', 'c'].map((id) => [taskId(`t-${id}`), agentId(id)]))
    const { placed, unplaced } = place(agents, { ...asking({}), tasks: new Set(), bound })
    expect(placed).toEqual([{ task: 't-a', agent: 'a', ports: {} }])
    expect(unplaced).toEqual([
      {
        group: 'w',
        agent: 'b',
        count: 1,
        reasons: [{ code: 'NotSchedulable', message: 'agent b is cordoned or not connected', count: 1 }],
      },
      { group: 'w', agent: 'c', count: 1, reasons: [{ code: 'NoSuchAgent', message: 'agent c is not known', count: 1 }] },
    ])
  })

  it('D4, A8: covers agents by label and runtime; a full, cordoned or silent one stays covered', () => {
    const agents = [
      agent('full', { labels: { gpu: 'yes' }, used: used({ cpuMillis: 4000, tasks: 1 }) }),
      agent('cordoned', { labels: { gpu: 'yes' }, schedulable: false }),
      agent('silent', {
        labels: { gpu: 'yes' },
        drivers: { ...agent('x').drivers, docker: { available: false, detail: 'RuntimeUnhealthy: frozen' } },
      }),
      agent('disk', { labels: { gpu: 'yes' }, pressure: [{ code: 'DiskPressure', message: '/ is 91 % full', count: 1 }] }),
      agent('plain'),
      agent('bare', { labels: { gpu: 'yes' }, drivers: { ...agent('x').drivers, docker: { available: false, detail: 'no socket' } } }),
    ]
    expect(eligibleAgents(requirements({ nodeSelector: { gpu: 'yes' } }), agents).map(({ id }) => id)).toEqual([
      'cordoned',
      'disk',
      'full',
      'silent',
    ])
  })
})

describe('spread', () => {
  const zoned = (zones: string) => [...zones].map((zone, index) => agent(`${zone}${index}`, { labels: { zone } }))
  const spread = [{ key: 'zone', maxSkew: 1 }]
  const zones = (ids: readonly string[]) =>
    [...ids]
      .map((id) => id[0])
      .sort()
      .join('')

  it('lays tasks evenly over the values, and packs inside one', () => {
    const ids = agentsOf(zoned('aaabbbccc'), asking({ spread }, 9))
    expect(zones(ids)).toBe('aaabbbccc')
    expect(new Set(ids).size).toBe(3)
  })

  it('evens out what is there already', () => {
    const existing = new Map([[agentId('a0'), 3]])
    expect(zones(agentsOf(zoned('abc'), { ...asking({ spread }, 6), existing }))).toBe('bbbccc')
  })

  it('weighs all keys together: the second task goes to another zone and another disk', () => {
    const agents = ['ax', 'ay', 'bx', 'by'].map((id) => agent(id, { labels: { zone: id[0] ?? '', disk: id[1] ?? '' } }))
    const both = [...spread, { key: 'disk', maxSkew: 1 }].map((rule) => ({ ...rule, maxSkew: 3 }))
    const groups = Array.from({ length: 16 }, (_, index) =>
      group(`w${index}`, 2, { requirements: requirements({ spread: both, cpuMillis: 10 }) }),
    )
    const { placed } = place(agents, ...groups)
    const pairs = groups.map(({ tasks }) =>
      [...tasks]
        .map((id) => placed.find(({ task }) => task === id)?.agent)
        .sort()
        .join(),
    )
    expect(new Set([...pairs, 'ax,by', 'ay,bx'])).toEqual(new Set(['ax,by', 'ay,bx']))
  })

  it('comes back to a value that was over the skew of one key, once the other values have caught up', () => {
    const at = (id: string, zone: string, disk: string) => agent(id, { labels: { zone, disk } })
    const agents = [at('as', 'a', 's'), at('bh', 'b', 'h'), { ...at('ah', 'a', 'h'), used: used({ cpuMillis: 4000, tasks: 1 }) }]
    const both = [...spread, { key: 'disk', maxSkew: 2 }]
    const pending = [{ ...asking({ spread: both }, 2), existing: new Map([[agentId('ah'), 1]]) }]
    for (let seed = 0; seed < 8; seed++) {
      expect(schedule({ agents, pending, seed, tags: new Map() }).placed.map((placement) => placement.agent)).toEqual(['bh', 'as'])
    }
  })

  it('stops at the skew when a zone is full, and says so for the others', () => {
    const agents = zoned('ab').map((view) => (view.id === 'b1' ? { ...view, used: used({ cpuMillis: 4000, tasks: 1 }) } : view))
    const { placed, unplaced } = place(agents, asking({ spread }, 3))
    expect(placed).toHaveLength(1)
    expect(unplaced[0]?.reasons).toEqual([
      { code: 'InsufficientCpu', message: '1 of 2 agents lacks CPU: 100m asked, at most 0 free', count: 1 },
      { code: 'SpreadSkew', message: '1 of 2 agents would exceed the spread: zone maxSkew 1', count: 1 },
    ])
  })

  it('does not wait for a zone of which no agent is connected', () => {
    const agents = zoned('abc').map((view) => (view.id === 'c2' ? { ...view, schedulable: false } : view))
    expect(place(agents, asking({ spread }, 4)).unplaced).toEqual([])
  })

  it('does not begin every small workload in the same zone', () => {
    const groups = Array.from({ length: 60 }, (_, index) =>
      group(`w${index}`, 1, { requirements: requirements({ spread, cpuMillis: 10, memoryBytes: MI }) }),
    )
    expect(tally([...zones(agentsOf(zoned('abc'), ...groups))])[0]).toBeGreaterThan(8)
  })
})

describe('reasons', () => {
  it('count each agent under the first rule it fails, most frequent first, in words', () => {
    const docker = (detail: string) => ({ ...agent('x').drivers, docker: { available: false, detail } })
    const agents = [
      agent('a', { used: used({ memoryBytes: 8000 * MI, tasks: 1 }) }),
      agent('b', { used: used({ memoryBytes: 7892 * MI, tasks: 1 }) }),
      agent('c', { used: used({ memoryBytes: 8192 * MI, tasks: 1 }) }),
      agent('d', { schedulable: false }),
      agent('e', { drivers: docker('no socket at /var/run/docker.sock') }),
    ]
    expect(place(agents, asking({ memoryBytes: 512 * MI })).unplaced[0]?.reasons).toEqual([
      { code: 'InsufficientMemory', message: '3 of 5 agents lack memory: 512 MiB asked, at most 300 MiB free', count: 3 },
      { code: 'NoRuntime', message: '1 of 5 agents cannot run docker tasks: no socket at /var/run/docker.sock', count: 1 },
      { code: 'NotSchedulable', message: '1 of 5 agents is cordoned or not connected', count: 1 },
    ])
  })

  it('A8: tell a machine whose disk is nearly full, and D4: one whose runtime does not answer', () => {
    const silent = { ...agent('x').drivers, docker: { available: false, detail: 'RuntimeUnhealthy: Docker did not answer' } }
    const agents = [
      agent('a', { pressure: [{ code: 'DiskPressure', message: '/var/lib/docker is 93 % full', count: 1 }] }),
      agent('b', { drivers: silent }),
    ]
    expect(place(agents, asking({})).unplaced[0]?.reasons).toEqual([
      { code: 'DiskPressure', message: '1 of 2 agents has a disk that is nearly full: /var/lib/docker is 93 % full', count: 1 },
      { code: 'RuntimeUnhealthy', message: '1 of 2 agents cannot run docker tasks now: Docker did not answer', count: 1 },
    ])
  })

  it('tell a machine that forbids processes from one that cannot run them', () => {
    const withProcess = (id: string, detail: string) =>
      agent(id, { drivers: { ...agent('x').drivers, process: { available: false, detail } } })
    const agents = [withProcess('a', 'ProcessesNotAllowed: start the agent with --allow-processes'), withProcess('b', 'no launcher')]
    expect(place(agents, asking({ driver: 'process' })).unplaced[0]?.reasons).toEqual([
      { code: 'NoRuntime', message: '1 of 2 agents cannot run process tasks: no launcher', count: 1 },
      {
        code: 'ProcessesNotAllowed',
        message: '1 of 2 agents does not allow processes; an agent is started with --allow-processes to run them',
        count: 1,
      },
    ])
  })

  it('tell a machine that cannot keep a process apart from one whose operator wants it kept further apart', () => {
    const offering = (id: string, detail: string, isolation: IsolationOffer) =>
      agent(id, { drivers: { ...agent('x').drivers, process: { available: true, detail, isolation } } })
    const agents = [
      offering('bare', 'no cgroups; no sandbox: install bubblewrap', { offered: ['none'], minimum: 'none' }),
      offering('strict', 'cgroups: pids; sandbox', { offered: ['none', 'cgroup', 'sandbox'], minimum: 'sandbox' }),
    ]
    const why = (isolation: Isolation) => place(agents, asking({ driver: 'process', isolation })).unplaced[0]?.reasons
    expect(place(agents, asking({ driver: 'process', isolation: 'sandbox' })).placed).toMatchObject([{ agent: 'strict' }])
    expect(fits(requirements({ driver: 'process', isolation: 'sandbox' }), must(agents[0], 'an agent'))).toEqual({
      code: 'NoSandbox',
      message: 'agent bare cannot run processes with isolation: sandbox: no cgroups; no sandbox: install bubblewrap',
      count: 1,
    })
    expect(why('cgroup')).toEqual([
      {
        code: 'IsolationNotAllowed',
        message: '1 of 2 agents does not allow isolation: cgroup, only sandbox or stronger',
        count: 1,
      },
      {
        code: 'NoCgroup',
        message: '1 of 2 agents cannot run processes with isolation: cgroup: no cgroups; no sandbox: install bubblewrap',
        count: 1,
      },
    ])
    expect(place(agents, asking({ driver: 'process', isolation: 'none' })).placed).toMatchObject([{ agent: 'bare' }])
    expect(place(agents, asking({ driver: 'docker', isolation: 'sandbox' })).unplaced).toEqual([])
  })

  it.each<[string, Partial<Requirements>, string]>([
    ['ConstraintNotMet', { nodeSelector: { disk: 'ssd' } }, 'agent only lacks labels: disk=ssd asked'],
    ['ConstraintNotMet', { constraints: [{ key: 'os', operator: 'In', values: ['linux'] }] }, 'agent only does not meet: os In [linux]'],
    ['SpreadLabelMissing', { spread: [{ key: 'zone', maxSkew: 1 }] }, 'agent only lacks a label to spread over: zone asked'],
    ['InsufficientCpu', { cpuMillis: 5000 }, 'agent only lacks CPU: 5 asked, at most 4 free'],
    ['PortInUse', { fixedPorts: [{ name: 'http', port: 80, protocol: 'TCP' }] }, 'agent only has a port in use: 80 asked'],
  ])('%s', (code, over, message) => {
    const only = agent('only', { used: used({ ports: new Set([80]) }) })
    expect(place([only], asking(over)).unplaced[0]?.reasons).toEqual([{ code, message, count: 1 }])
    expect(fits(requirements(over), only)).toEqual({ code, message, count: 1 })
  })

  it('say so when there is no agent at all', () => {
    expect(place([], asking({})).unplaced[0]?.reasons).toEqual([{ code: 'NoAgents', message: 'no agent has joined', count: 0 }])
  })
})
