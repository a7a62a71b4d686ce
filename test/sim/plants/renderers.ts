import { Renderer } from '../../../src/control/source/render.ts'
import { SyncPolicy } from '../../../src/model/manifest.ts'
import { testVault } from '../../support/vault.ts'

/** Whatever cannot be read is left out, as if it were not in the commit. */
export class CarelessRenderer extends Renderer {
  readonly #inner: Renderer
  constructor(inner: Renderer) {
    super({ parse: () => Promise.reject(new Error('not used')), close: async () => undefined }, testVault())
    this.#inner = inner
  }
  override async render(...given: Parameters<Renderer['render']>): ReturnType<Renderer['render']> {
    return { ...(await this.#inner.render(...given)), broken: [], problems: [] }
  }
}

/** Whatever a revision says may be removed by itself. */
export class UnboundedRenderer extends Renderer {
  readonly #inner: Renderer
  constructor(inner: Renderer) {
    super({ parse: () => Promise.reject(new Error('not used')), close: async () => undefined }, testVault())
    this.#inner = inner
  }
  override async render(...given: Parameters<Renderer['render']>): ReturnType<Renderer['render']> {
    return {
      ...(await this.#inner.render(...given)),
      policy: SyncPolicy.parse({ deletionBudget: { count: 1000, percent: 100 } }),
    }
  }
}

/** Every commit looks new, so its number gets into what a template is. */
export class RestlessRenderer extends Renderer {
  readonly #inner: Renderer
  constructor(inner: Renderer) {
    super({ parse: () => Promise.reject(new Error('not used')), close: async () => undefined }, testVault())
    this.#inner = inner
  }
  override async render(...given: Parameters<Renderer['render']>): ReturnType<Renderer['render']> {
    const rendered = await this.#inner.render(...given)
    const [, { commit }] = given
    const workloads = rendered.workloads.map((one) => {
      const inputsDigest = one.wanted.inputsDigest
      const templateDigest = `${commit}${one.wanted.templateDigest.slice(40)}` as typeof inputsDigest
      return { ...one, wanted: { ...one.wanted, templateDigest } }
    })
    return { ...rendered, workloads }
  }
}
