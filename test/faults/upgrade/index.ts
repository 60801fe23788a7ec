import type { Scenario } from '../scenario.ts';
import { upgradeAndBack } from './upgrade-and-back.ts';

export const scenarios: readonly Scenario[] = [upgradeAndBack];
