import '@holdfast/module-host/node-version';
import { runModule } from '@holdfast/module-host';
import { forwarder } from './definition.ts';
import { keepHeapSmall } from './heap.ts';

keepHeapSmall();
await runModule(forwarder);
