import '@holdfast/module-host/node-version';
import { runModule } from '@holdfast/module-host';
import { definition } from './definition.ts';

await runModule(definition);
