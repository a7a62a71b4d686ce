import fc from 'fast-check'

/** Of all properties, so that a change is judged by the histories that the one before it passed; `DROVER_PROPERTY_SEED=random` looks for new ones. */
const SEED = 20_261_121
const asked = process.env.DROVER_PROPERTY_SEED

if (asked !== 'random') fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: Number(asked ?? SEED) })
