import type { Scenario } from '../scenario.ts';
import { journalDamage } from './journal-damage.ts';
import { moduleDamage } from './module-damage.ts';
import { storeDamage } from './store-damage.ts';

export const scenarios: readonly Scenario[] = [journalDamage, moduleDamage, storeDamage];
