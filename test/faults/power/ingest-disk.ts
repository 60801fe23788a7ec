import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Journal } from '@holdfast/journal';
import { FaultFound, mustHold } from '../scenario.ts';
import type { IngestLedger } from './ingest-ledger.ts';
import type { InputFile } from './ingest-workload.ts';

/** A file of the input folder as ingest knew it before the cut: device, inode, size and time. */
export type Identity = string;

interface Cursor {
  file: Identity;
  offset: number;
  accepted: number;
}

/** The settings are the accepted ones, or those under way, whole. @throws FaultFound */
export function checkSettings(data: string, { set, setting }: IngestLedger): void {
  const found = parsed<{ version: number }>(path.join(data, 'settings.json'));
  const version = found?.version ?? 0;
  mustHold(
    version >= set && version <= setting,
    `the settings are of version ${version}, ${set} was accepted and ${setting} under way`,
  );
}

/** Values of all readings in the journal, each once, and what `look` makes of the journal. @throws FaultFound */
export function readJournal<T>(
  data: string,
  look: (journal: Journal, values: ReadonlySet<number>) => T,
): T {
  const journal = openJournal(path.join(data, 'journal.db'));
  try {
    const { salvage } = journal;
    mustHold(salvage === undefined, `it is taken for damaged: ${salvage?.reason}`);
    const values = new Set<number>();
    for (const { partition, stream, receipted, lost } of journal.streams) {
      mustHold(lost === 0, `${stream} reports ${lost} lost, and nothing was damaged`);
      let after = receipted;
      for (;;) {
        const batch = journal.readBatch(partition, { after, bytesMax: 1_000_000, lookback: 0 });
        if (batch === undefined) break;
        for (const value of batch.assets.flatMap((asset) => asset.values[0] as number[])) {
          mustHold(!values.has(value), `reading ${value} is there twice`);
          values.add(value);
        }
        after = batch.last;
      }
    }
    return look(journal, values);
  } finally {
    journal.close();
  }
}

function openJournal(file: string): Journal {
  try {
    return Journal.open({
      path: file,
      partitions: 4,
      streamPrefix: 'ingest',
      newEpoch: () => 'opened-by-the-test',
      wallMs: () => Date.now(),
    });
  } catch (error) {
    throw new FaultFound(`the journal does not open: ${(error as Error).message}`);
  }
}

/**
 * A file that will be read again goes on exactly behind the rows that are stored; one that is gone from the input folder
 * is stored as a whole. @throws FaultFound
 */
export function checkInput(
  at: { data: string; input: string; journal: Journal },
  file: InputFile & { identity: Identity },
  found: ReadonlySet<number>,
): void {
  let stored = 0;
  while (found.has(file.from + stored) && stored < file.good) stored += 1;
  const { name, identity } = file;
  if (!existsSync(path.join(at.input, name))) {
    mustHold(
      stored === file.good,
      `${name} is gone, and ${stored} of ${file.good} rows are stored`,
    );
    return;
  }
  const cursor = parsed<Cursor>(path.join(at.data, 'folder-cursor.json'));
  let next = { offset: file.start, accepted: 0 };
  if (cursor?.file === identity && cursor.offset > 0) next = cursor;
  for (;;) {
    const known = at.journal.findKey(`file:${identity}:${next.offset}`);
    if (known === undefined) break;
    next = JSON.parse(known.result) as { offset: number; accepted: number };
  }
  mustHold(
    next.accepted === stored,
    `${name} would be read on after ${next.accepted} rows, and ${stored} are stored`,
  );
}

/** The content of a file that is written whole; undefined when it is not there. @throws FaultFound */
function parsed<T>(file: string): T | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  try {
    return JSON.parse(text) as T;
  } catch {
    throw new FaultFound(`${path.basename(file)} holds ${JSON.stringify(text.slice(0, 60))}`);
  }
}
