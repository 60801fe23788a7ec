import type { Scenario } from '../scenario.ts';
import { killsAtPoints } from './kills-at-points.ts';
import { killsAtRandom } from './kills-at-random.ts';

export const scenarios: readonly Scenario[] = [killsAtPoints, killsAtRandom];
