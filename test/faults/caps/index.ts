import type { Scenario } from '../scenario.ts';
import { capsForwarder } from './caps-forwarder.ts';

export const scenarios: readonly Scenario[] = [capsForwarder];
