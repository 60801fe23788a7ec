import path from 'node:path';
import Database from 'better-sqlite3';
import { RejectLog } from '../../../modules/ingest/src/adapters/reject-log.ts';
import { cutPower } from '../disk/cuts.ts';
import { shimUnavailable } from '../disk/shim.ts';
import { type Counts, FaultFound, mustHold, type Round, type Scenario } from '../scenario.ts';
import { recorded } from './recorded.ts';

const SUBJECT = path.join(import.meta.dirname, 'reject-log-subject.ts');

export const powerRejectLog: Scenario = {
  name: 'power-reject-log',
  topic: 'power',
  fault:
    'The power is cut while ingest writes down refused rows, through several checkpoints of that log.',
  holds:
    'The log of refused rows opens and is readable: it may have lost the newest, and never stops a start.',
  plants: [
    {
      name: 'synchronous-off',
      file: 'modules/ingest/src/adapters/reject-log.ts',
      find: "pragma('synchronous = NORMAL')",
      replace: "pragma('synchronous = OFF')",
    },
  ],
  unavailable: async () => shimUnavailable(),
  run,
};

async function run(round: Round): Promise<Counts> {
  const { size, seed, folder, signal } = round;
  const rounds = size === 'short' ? 150 : 600;
  const entries = await recorded(round, SUBJECT, (disk) => [
    path.join(disk, 'rejects.db'),
    String(rounds),
  ]);
  const image = path.join(folder, 'image');
  const count = size === 'short' ? 150 : 1_500;
  const cuts = await cutPower({ entries, image, seed, count, signal }, () => {
    const file = path.join(image, 'rejects.db');
    const kept = listOf(file);
    const times = kept.map(({ timeMs }) => timeMs);
    mustHold(
      times.every((time, index) => index === 0 || time <= times[index - 1]!),
      'the refused rows are out of order',
    );
  });
  return { cuts, operations: entries.length };
}

/** Opens the log as a start of ingest does, writes one more row, and checks every page. */
function listOf(file: string): ReturnType<RejectLog['list']> {
  try {
    const log = new RejectLog(file);
    const one = { code: 'time-type', path: 't', allowed: 'must be a time' } as const;
    log.add([one], { source: 'http', timeMs: 1_000_000, what: 'a post after the cut' });
    const kept = log.list();
    log.close();
    const db = new Database(file);
    const state = db.pragma('integrity_check', { simple: true });
    db.close();
    mustHold(state === 'ok', `the log of refused rows is damaged: ${state}`);
    return kept;
  } catch (error) {
    if (error instanceof FaultFound) throw error;
    throw new FaultFound(`the log of refused rows does not open: ${(error as Error).message}`);
  }
}
