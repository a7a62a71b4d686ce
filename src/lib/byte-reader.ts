/** Hands out a stream of chunks by exact numbers of bytes. */
export class ByteReader {
  readonly #chunks: AsyncIterator<Uint8Array>
  readonly #cutOff: () => Error
  #rest: Uint8Array = new Uint8Array(0)

  /** `cutOff` makes the error for a stream that ends within what was asked for. */
  constructor(stream: AsyncIterable<Uint8Array>, cutOff: () => Error) {
    this.#chunks = stream[Symbol.asyncIterator]()
    this.#cutOff = cutOff
  }

  /** The next `count` bytes, as they come. */
  async *pieces(count: number): AsyncGenerator<Uint8Array, void, undefined> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) await this.#refill()
      const piece = this.#rest.subarray(0, left)
      this.#rest = this.#rest.subarray(piece.length)
      left -= piece.length
      yield piece
    }
  }

  /** The next `count` bytes, all in memory. */
  async take(count: number): Promise<Buffer> {
    const pieces: Uint8Array[] = []
    for await (const piece of this.pieces(count)) pieces.push(piece)
    return Buffer.concat(pieces)
  }

  async close(): Promise<void> {
    await this.#chunks.return?.()
  }

  async #refill(): Promise<void> {
    const next = await this.#chunks.next()
    if (next.done === true) throw this.#cutOff()
    this.#rest = next.value
  }
}
