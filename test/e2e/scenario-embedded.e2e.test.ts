import { scenario } from './scenario.ts'

scenario('embedded', async () => ({ url: undefined, close: async () => undefined }))
