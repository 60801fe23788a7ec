import '@holdfast/module-host/node-version';
import { runModule } from '@holdfast/module-host';
import { inference } from './definition.ts';

await runModule(inference);
