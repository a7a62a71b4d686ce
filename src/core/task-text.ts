/** Longer texts (a registry's HTML page, a stack) belong in a log, not in every status. */
const MESSAGE_MAX = 500

export const short = (text: string): string => (text.length <= MESSAGE_MAX ? text : `${text.slice(0, MESSAGE_MAX - 1)}…`)
