import type { ModuleDefinition } from '@holdfast/module-host';
import { environment, settings } from './config.ts';
import { startIngest } from './start-ingest.ts';

/** What the module is: its settings and how it starts. The settings table of the README is made from it. */
export const definition = {
  name: 'ingest',
  version: '0.1.0',
  httpPort: 8080,
  environment,
  settings,
  start: startIngest,
} satisfies ModuleDefinition<typeof environment, typeof settings>;
