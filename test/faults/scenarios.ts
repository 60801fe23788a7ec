import { scenarios as caps } from './caps/index.ts';
import { scenarios as damage } from './damage/index.ts';
import { scenarios as diskFull } from './disk-full/index.ts';
import { scenarios as kills } from './kills/index.ts';
import { scenarios as links } from './links/index.ts';
import { scenarios as power } from './power/index.ts';
import type { Scenario } from './scenario.ts';
import { scenarios as simulation } from './simulation/index.ts';
import { scenarios as upgrade } from './upgrade/index.ts';

export const SCENARIOS: readonly Scenario[] = [
  ...kills,
  ...power,
  ...diskFull,
  ...damage,
  ...links,
  ...upgrade,
  ...caps,
  ...simulation,
];
