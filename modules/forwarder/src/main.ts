import '@holdfast/module-host/node-version';
import { runModule } from '@holdfast/module-host';
import { forwarder } from './definition.ts';

await runModule(forwarder);
