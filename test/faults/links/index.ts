import type { Scenario } from '../scenario.ts';
import { cut } from './cut.ts';

export const scenarios: readonly Scenario[] = [cut];
