/** Where a request goes that this process cannot answer, because another leads. */
export interface LeaderPointer {
  /** True while this process leads, by its own monotonic clock too: one that was frozen or blocked does not. */
  leads(): boolean
  /**
   * Address of the process that leads, as it told the store; null when nobody does, or it told none.
   * @throws RequestError `Unavailable` while the store cannot be asked.
   */
  url(): Promise<string | null>
}
