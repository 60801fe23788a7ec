/** The process whose power is cut: refuses rows, until the log was checkpointed a few times. `<file> <rounds>` */
import { RejectLog } from '../../../modules/ingest/src/adapters/reject-log.ts';

const [file, rounds] = process.argv.slice(2) as [string, string];
const log = new RejectLog(file);
for (let round = 1; round <= Number(rounds); round += 1) {
  const refusals = Array.from({ length: 60 }, (_, row) => ({
    ...{ row, code: 'time-type' as const, path: 't' },
    ...{ value: `${round}.${row} `.padEnd(200, 'x'), allowed: 'must be a time' },
  }));
  log.add(refusals, { source: 'http', timeMs: round, what: `post ${round}` });
  log.flush();
}
process.exit(0);
