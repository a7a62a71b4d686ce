/** Manifest files of one revision, and their length together in UTF-16 code units. */
export const MAX_FILES = 2000
export const MAX_TOTAL_SIZE = 20_000_000

/** What one file may hold. Tokens bound the work of the YAML library, which is linear below these. */
export const MAX_FILE_BYTES = 1_048_576
export const MAX_DOCUMENTS = 500
export const MAX_TOKENS = 80_000
export const MAX_LINES = 100_000

/** What one document may hold. */
export const MAX_DEPTH = 50
export const MAX_KEYS = 5000

/** Problems told of one file and of one revision: they are kept in the app's record, which must stay small. */
export const MAX_PROBLEMS = 25
export const MAX_REVISION_PROBLEMS = 200
