import { numbersIn, RowCount } from './database.ts';
import type { RunningPeer } from './peer.ts';
import type { Supervised } from './processes.ts';
import type { Source } from './sources.ts';

/** A peer whose store is a table in a SQLite file. Processes in the order in which they were started. */
export function sqlitePeer(options: {
  file: string;
  processes: readonly Supervised[];
  source: () => Source;
}): RunningPeer {
  const { file, processes, source } = options;
  const rows = new RowCount(file);
  return {
    source,
    processes: () => processes.map(({ id, pid, restarts }) => ({ id, pid, restarts })),
    kill: (id) => processes.find((process) => process.id === id)?.kill(),
    storedSoFar: async () => rows.now(),
    stored: async () => numbersIn(file),
    stop: async () => {
      for (const process of processes.toReversed()) await process.stop();
      rows.close();
    },
  };
}
