/**
 * An ordered, reliable, two-way stream of frames between two parties, until it ends.
 * It may end at any time, and frames in flight are then lost: callers must be able to say all again.
 */
export interface Channel<Out, In> {
  /** Queues a frame; after the end it does nothing, for the reader learns of the end anyway. */
  send(frame: Out): void
  /** Frames in order. Ends when the channel does, whatever the cause. One reader only. */
  frames(): AsyncIterable<In>
  close(reason: string): void
  /** Resolves with the reason once the channel has ended. */
  readonly closed: Promise<string>
}
