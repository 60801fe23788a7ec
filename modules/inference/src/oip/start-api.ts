import type { ModuleHost } from '@holdfast/module-host';
import type { Environment, Settings } from '../config.ts';
import type { Catalog } from '../domain/catalog.ts';
import { type ApiParts, InferenceApi } from './api.ts';

/** Puts the HTTP API of the models onto the module's server. */
export async function startApi(
  host: ModuleHost<Environment, Settings>,
  parts: Pick<ApiParts, 'version' | 'workerUrl' | 'scorerOf' | 'scoreImage'> & { catalog: Catalog },
): Promise<InferenceApi> {
  const { env, http, clock, log, metrics, settings } = host;
  const token = env.HOLDFAST_HTTP_TOKEN;
  const api = new InferenceApi({ ...parts, http, clock, log, metrics, token }, settings);
  await api.register();
  return api;
}
