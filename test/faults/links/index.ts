import type { Scenario } from '../scenario.ts';
import { answerLost } from './answer-lost.ts';
import { busy } from './busy.ts';
import { clock } from './clock.ts';
import { cut } from './cut.ts';
import { flapping } from './flapping.ts';
import { halfOpen } from './half-open.ts';
import { intakeClock } from './intake-clock.ts';
import { lossy } from './lossy.ts';
import { slow } from './slow.ts';

export const scenarios: readonly Scenario[] = [
  cut,
  flapping,
  halfOpen,
  slow,
  lossy,
  answerLost,
  busy,
  clock,
  intakeClock,
];
