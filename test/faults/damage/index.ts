import type { Scenario } from '../scenario.ts';
import { storeDamage } from './store-damage.ts';

export const scenarios: readonly Scenario[] = [storeDamage];
