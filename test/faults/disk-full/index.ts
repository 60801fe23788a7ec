import type { Scenario } from '../scenario.ts';
import { diskFullErrors } from './disk-full-errors.ts';
import { diskFullSite } from './disk-full-site.ts';

export const scenarios: readonly Scenario[] = [diskFullSite, diskFullErrors];
