import type { ModuleDefinition } from '@holdfast/module-host';
import { environment, settings } from './config.ts';
import { startForwarder } from './forwarder.ts';

/** The module as the host runs it. */
export const forwarder: ModuleDefinition<typeof environment, typeof settings> = {
  name: 'forwarder',
  version: '0.1.0',
  httpPort: 8082,
  environment,
  settings,
  start: (host) => startForwarder(host),
};
