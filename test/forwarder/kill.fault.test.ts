/**
 * Goal: a forwarder that is killed at any point of an upload delivers every record exactly once. Method: a real
 * process with SIGKILL between the steps, and at random moments, started again until it is through; then the blobs in
 * Azurite are read back.
 */
import path from 'node:path';
import { ChildProcess, seeded, temporaryFolder } from '@holdfast/testkit';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { type Azurite, connectionString, startAzurite } from './azurite.ts';
import { idsOf, readBack } from './read-back.ts';
import type { Status } from './rig.ts';

const ROWS = 1_500;
let azurite: Azurite;

beforeAll(async () => {
  azurite = await startAzurite(temporaryFolder('azurite'));
}, 60_000);
afterAll(async () => {
  await azurite.stop();
  await ChildProcess.killAll();
});

class Run {
  readonly #container: string;
  readonly #folder = temporaryFolder('forwarder');

  constructor(container: string) {
    this.#container = container;
  }

  start(kill: { step?: string; count?: number } = {}): ChildProcess {
    return ChildProcess.start(path.resolve('test/forwarder/crashing-forwarder.ts'), {
      env: {
        CONNECTION: connectionString(azurite.port),
        CONTAINER: this.#container,
        FOLDER: this.#folder,
        ROWS: String(ROWS),
        KILL_STEP: kill.step,
        KILL_COUNT: kill.count === undefined ? undefined : String(kill.count),
      },
    });
  }

  /** Runs to the end and compares what was produced with what is in the store. */
  async finish(): Promise<void> {
    const child = this.start();
    const exit = await child.exited;
    expect({ ...exit, output: exit.code === 0 ? '' : child.output }).toEqual({
      code: 0,
      signal: null,
      output: '',
    });
    const status = JSON.parse(child.lines.at(-1) ?? '') as Status;
    expect(status.applied).toBe(ROWS);
    const blobs = await readBack(connectionString(azurite.port), this.#container);
    for (const [kind, lane] of [
      ['anomaly', 'critical'],
      ['rollup', 'normal'],
      ['scores', 'bulk'],
    ] as const) {
      const ids = idsOf(blobs, kind);
      expect([...ids.values()].filter((times) => times > 1)).toEqual([]);
      expect(ids.size).toBe(status.lanes[lane].produced);
      expect(status.lanes[lane]).toMatchObject({ delivered: ids.size, pending: 0 });
    }
    const rollups = blobs.filter(({ kind }) => kind === 'rollup').flatMap(({ rows }) => rows);
    expect(rollups.reduce((sum, { scored }) => sum + Number(scored), 0)).toBe(ROWS);
    const scores = blobs.filter(({ kind }) => kind === 'scores').flatMap(({ rows }) => rows);
    expect(new Set(scores.map(({ seq }) => seq)).size).toBe(ROWS);
    expect(blobs).toHaveLength(status.blobs);
  }
}

describe('a forwarder killed with SIGKILL', () => {
  it.each([
    ['sealed', 1],
    ['sealed', 4],
    ['uploaded', 1],
    ['uploaded', 5],
    ['settled', 1],
    ['settled', 3],
  ])(
    'after a blob was %s for the %d. time delivers every record exactly once',
    async (step, count) => {
      const run = new Run(`killed-${step}-${count}`);
      const killed = await run.start({ step, count }).exited;
      expect(killed.signal).toBe('SIGKILL');
      await run.finish();
    },
    60_000,
  );

  it('again and again at any moment delivers every record exactly once', async () => {
    const random = seeded(20261123);
    const run = new Run('killed-at-random');
    for (let i = 0; i < 8; i++) {
      const child = run.start();
      const timer = setTimeout(() => child.signal('SIGKILL'), random.int(150, 900));
      await child.exited;
      clearTimeout(timer);
    }
    await run.finish();
  }, 120_000);
});
