import type { Scenario } from '../scenario.ts';
import { cut } from './cut.ts';
import { flapping } from './flapping.ts';
import { halfOpen } from './half-open.ts';
import { slow } from './slow.ts';

export const scenarios: readonly Scenario[] = [cut, flapping, halfOpen, slow];
