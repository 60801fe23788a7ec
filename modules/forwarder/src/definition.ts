import type { ModuleDefinition } from '@holdfast/module-host';
import { Environment, Settings } from './config.ts';
import { startForwarder } from './forwarder.ts';

/** The module as the host runs it. */
export const forwarder: ModuleDefinition<typeof Environment, typeof Settings> = {
  name: 'forwarder',
  version: '0.1.0',
  httpPort: 8082,
  environment: Environment,
  settings: Settings,
  start: (host) => startForwarder(host),
};
