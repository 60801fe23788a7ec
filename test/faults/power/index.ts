import type { Scenario } from '../scenario.ts';
import { powerForwarder } from './forwarder.ts';
import { powerIngestProcess } from './ingest.ts';
import { powerJournal } from './journal.ts';
import { powerRejectLog } from './reject-log.ts';
import { powerSmallFiles } from './small-files.ts';

export const scenarios: readonly Scenario[] = [
  powerJournal,
  powerIngestProcess,
  powerRejectLog,
  powerSmallFiles,
  powerForwarder,
];
