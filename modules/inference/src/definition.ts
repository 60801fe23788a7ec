import { existsSync } from 'node:fs';
import type { ModuleDefinition } from '@holdfast/module-host';
import { environment, settings } from './config.ts';
import { startInference } from './start-inference.ts';

/** The worker's file: a source when run from here, a bundle of its own beside the main program in an image. */
function workerUrl(): URL {
  const bundled = new URL('./onnx-worker.js', import.meta.url);
  return existsSync(bundled) ? bundled : new URL('./adapters/onnx-worker.ts', import.meta.url);
}

/** The module as the host runs it. */
export const inference: ModuleDefinition<typeof environment, typeof settings> = {
  name: 'inference',
  version: '0.1.0',
  httpPort: 8081,
  environment,
  settings,
  start: (host) => startInference(host, workerUrl()),
};
