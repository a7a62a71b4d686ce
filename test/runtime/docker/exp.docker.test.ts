import { it } from 'vitest'
import { startPrivateDocker } from '../../support/docker.ts'
import { dockerHarness, containerSpec, script } from './harness.ts'
import { systemClock } from '../../../src/lib/clock.ts'
it('exp', async () => {
  const d = await startPrivateDocker()
  try {
    const h = await dockerHarness(d.socketPath)
    const { docker } = h
    const mk = async (cmd: string) => { const c = await docker.createContainer({ Image: 'drover-example/busybox:1', Cmd: ['sh','-c',cmd], HostConfig: { Init: true, NetworkMode: 'host' } }); await c.start(); return c.id }
    const a = await mk('exec sleep 1000'); const b = await mk('sleep 2; exit 5'); const t = await mk('trap "exit 0" TERM; while :; do sleep 0.1; done')
    const show = async (w: string) => { for (const id of [a,b,t]) console.log(w, JSON.stringify((await docker.getContainer(id).inspect()).State)) }
    await show('before')
    console.log(new Date().toISOString(), 'kill'); await d.kill(); await systemClock.sleep(3000)
    console.log(new Date().toISOString(), 'start'); const t0 = Date.now(); await d.start(); console.log(new Date().toISOString(), 'up', Date.now()-t0)
    await show('afterkill')
    for (const id of [a,b,t]) await docker.getContainer(id).start()
    const ev = await docker.getEvents({filters:{event:['die']}}); ev.on('data', (x: Buffer) => console.log(new Date().toISOString(), 'event', x.toString().slice(0,100))); ev.on('error', (e: Error)=>console.log('everr',e.message)); ev.on('close', () => console.log(new Date().toISOString(),'evclose'))
    console.log(new Date().toISOString(), 'term'); const poll = setInterval(async () => { try { const s = await docker.getContainer(a).inspect(); console.log(new Date().toISOString(), 'poll', s.State.Status) } catch (e) { console.log(new Date().toISOString(), 'pollfail', String(e)) } }, 50); await d.terminate(); clearInterval(poll); console.log(new Date().toISOString(), 'down'); await d.start(); console.log(new Date().toISOString(), 'up'); await show('afterterm')
  } finally { await d.destroy() }
}, 120000)
