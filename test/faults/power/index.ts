import type { Scenario } from '../scenario.ts';
import { powerJournal } from './journal.ts';

export const scenarios: readonly Scenario[] = [powerJournal];
