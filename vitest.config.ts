import { defineConfig } from 'vitest/config'

/** The suffix of a test file names what it needs; a project each. */
const needs = ['sandbox', 'etcd', 'docker', 'e2e', 'sim']
const dockerSetup = './test/support/setup/docker-global.ts'
const etcdSetup = './test/support/setup/etcd-global.ts'
const sandboxSetup = './test/support/setup/sandbox-global.ts'
/** Where properties are. */
const seeded = ['./test/support/setup/seed.ts']
/** A project of its own, for it needs no Docker and mostly waits for leases to end. */
const leases = 'test/e2e/cluster.e2e.test.ts'
const suffixed = needs.map((need) => `test/**/*.${need}.test.ts`)

export default defineConfig({
  test: {
    // One for each core of the smallest machine that runs this; the default leaves one of two idle.
    maxWorkers: 2,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: suffixed,
          setupFiles: seeded,
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'sandbox',
          include: ['test/**/*.sandbox.test.ts'],
          globalSetup: [sandboxSetup],
          testTimeout: 60_000,
          hookTimeout: 60_000,
        },
      },
      { test: { name: 'sim', include: ['test/**/*.sim.test.ts'], testTimeout: 600_000 } },
      {
        test: {
          name: 'etcd',
          setupFiles: seeded,
          include: ['test/**/*.etcd.test.ts'],
          globalSetup: [etcdSetup],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'docker',
          include: ['test/**/*.docker.test.ts'],
          globalSetup: [dockerSetup],
          testTimeout: 60_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'cluster',
          include: [leases],
          globalSetup: [etcdSetup],
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/**/*.e2e.test.ts'],
          exclude: [leases],
          globalSetup: [dockerSetup, etcdSetup, sandboxSetup],
          testTimeout: 300_000,
          hookTimeout: 120_000,
          fileParallelism: false,
        },
      },
    ],
  },
})
