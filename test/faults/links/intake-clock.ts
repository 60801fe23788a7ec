import { mkdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { IngestProcess } from '../../ingest/ingest-process.ts';
import { ShimControl, shimEnvironment, shimUnavailable } from '../disk/shim.ts';
import { plantEnvironment } from '../plants/plant.ts';
import { mustHold, type Scenario } from '../scenario.ts';

const HOUR_MS = 3_600_000;
/** Longer than the journal waits before it prunes its keys. */
const PRUNED_MS = 1_500;

/** Sources know the time, the box that takes their readings in does not. */
export const intakeClock: Scenario = {
  name: 'links-clock-intake',
  topic: 'links',
  fault:
    'Ingest starts in 1970, its clock is set to now and then back and forth by hours, while sources whose clocks are right post readings with idempotency keys, and post all of them again after each step, as after an answer that was lost.',
  holds:
    'Every reading is accepted, and every repetition gets the first answer and counts nothing: each reading is in the journal once.',
  plants: [
    {
      name: 'keys-age-by-the-wall-clock',
      file: 'packages/journal/src/idempotency-keys.ts',
      find: 'const nowMs = this.#timeMs(wallMs);',
      replace: 'const nowMs = wallMs;',
    },
    {
      name: 'any-clock-is-right',
      file: 'modules/ingest/src/domain/time-window.ts',
      find: 'isClockSet(wallMs) ? wallMs',
      replace: 'true ? wallMs',
    },
    {
      name: 'five-minutes-ahead',
      file: 'modules/ingest/src/config.ts',
      find: '.default(31 * DAY_MS)',
      replace: '.default(5 * MINUTE_MS)',
    },
  ],
  unavailable: async () => shimUnavailable(),
  async run(round) {
    const { random } = round;
    const folder = path.join(round.folder, 'ingest');
    mkdirSync(folder);
    const control = path.join(round.folder, 'clock');
    const shim = ShimControl.create(control);
    const wallOffsetMs = 5_000 - Date.now();
    const ingest = await IngestProcess.start({
      folder,
      env: {
        ...shimEnvironment({ folder: round.folder, control, wallOffsetMs }),
        ...plantEnvironment(round.plant),
      },
    });
    const posts: { body: string; headers: Record<string, string> }[] = [];
    const post = async (n: number, again: boolean): Promise<void> => {
      const answer = await ingest.post(posts[n]!);
      const { accepted, refusedCount } = answer.body;
      mustHold(
        answer.status === 202 && accepted === 1 && refusedCount === 0,
        `reading ${n} was answered with ${answer.status}: ${JSON.stringify(answer.body)}`,
      );
      const replayed = answer.headers['idempotency-replayed'] === 'true';
      mustHold(replayed === again, `post ${n} counted ${again ? 'a second time' : 'as a repeat'}`);
    };
    const steps = Array.from({ length: round.size === 'short' ? 1 : 15 }, () =>
      random.chance(0.3) ? 0 : random.int(1, 24) * (random.chance(0.5) ? 1 : -1),
    );
    let repeats = 0;
    try {
      for (const step of [undefined, 0, ...steps, -7]) {
        if (round.signal.aborted) break;
        if (step !== undefined) shim.set({ wallOffsetMs: step * HOUR_MS });
        for (let i = 0; i < 5; i++) {
          const n = posts.length;
          const body = JSON.stringify({ asset: `pump-${n % 3}`, t: Date.now(), values: { n } });
          posts.push({ body, headers: { 'idempotency-key': `post-${n}` } });
          await post(n, false);
        }
        await pause(PRUNED_MS);
        for (const n of posts.keys()) await post(n, true);
        repeats += posts.length;
      }
    } finally {
      await ingest.child.kill();
    }
    const rows = await ingest.journalRows();
    const values = new Set(rows.map(({ reading }) => reading.values[0]));
    mustHold(
      rows.length === posts.length && values.size === posts.length,
      `${rows.length} rows with ${values.size} values are in the journal, not ${posts.length}`,
    );
    return { 'steps of the clock': steps.length + 2, readings: posts.length, repeats };
  },
};
