/**
 * The HTTP API in a process of its own, with a real model for each data type, run by the engine, that gives back what it
 * is sent. Arguments: the token, and a folder for the models. Prints its address.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fastify from 'fastify';
import { Registry } from 'prom-client';
import { settings } from '../../../modules/inference/src/config.ts';
import type { Datatype } from '../../../modules/inference/src/domain/tensor.ts';
import { windowScorer } from '../../../modules/inference/src/domain/window-scorer.ts';
import { InferenceApi } from '../../../modules/inference/src/oip/api.ts';
import { anEngine } from '../../../modules/inference/src/testing/an-engine.ts';
import { anEntry, FakeCatalog } from '../../../modules/inference/src/testing/fake-catalog.ts';
import { identityModel } from '../../../modules/inference/src/testing/identity-model.ts';

const TYPES: readonly Datatype[] = [
  ...(['BOOL', 'UINT8', 'UINT16', 'UINT32', 'UINT64', 'INT8', 'INT16', 'INT32'] as const),
  ...(['INT64', 'FP16', 'FP32', 'FP64', 'BYTES'] as const),
];

const [token, folder] = process.argv.slice(2) as [string, string];
const engine = anEngine();
const catalog = new FakeCatalog();
for (const datatype of TYPES) {
  const model = identityModel([{ input: 'x', output: 'y', datatype, shape: ['batch', 2] }]);
  const modelPath = join(folder, `${datatype}.onnx`);
  writeFileSync(modelPath, model);
  const runner = await engine.open({ name: datatype, modelPath });
  catalog.list.push(anEntry(`every ${datatype}`, runner, { version: 'v10' }));
}
const http = fastify({ forceCloseConnections: true });
const api = new InferenceApi(
  {
    ...{ http, catalog, version: '1', token, metrics: new Registry() },
    workerUrl: new URL('../../../modules/inference/src/oip/request-worker.ts', import.meta.url),
    clock: { monotonicMs: () => performance.now(), wallMs: () => Date.now() },
    log: { error: console.error, warn() {}, info() {}, debug() {} },
    scorerOf: ({ runner, manifest }) => windowScorer(runner, manifest, 'http'),
  },
  settings.parse({}),
);
await api.register();
console.log(`listening on ${await http.listen({ host: '127.0.0.1', port: 0 })}`);
