import type { FastifyRequest } from 'fastify';
import type { Catalog } from '../domain/catalog.ts';
import type { Answer } from './answer.ts';
import type { ApiParts } from './api.ts';
import { ApiError, later } from './api-error.ts';
import { inferOperation } from './infer.ts';
import { knownModel, notReady, readyModel, versionsOf } from './model-lookup.ts';
import { openApi } from './openapi.ts';
import { readJsonBody } from './read-json-body.ts';
import { control, repositoryIndex } from './repository.ts';
import type { HeldBytes } from './request-body.ts';
import type { RequestReader } from './request-reader.ts';
import type { Match, Operation } from './routes.ts';
import { scoreOperation } from './score.ts';
import type { ApiSettings } from './settings.ts';
import type { Statistics } from './statistics.ts';

/** One request on its way. */
export interface Call {
  request: FastifyRequest;
  match: Match;
  /** Monotonic. */
  startMs: number;
}

export interface Shared extends ApiParts {
  statistics: Statistics;
  held: HeldBytes;
  reader: RequestReader;
  settings(): ApiSettings;
  stopping(): boolean;
  mayControl(): boolean;
}

/** What is offered beyond the core of the protocol. */
export const EXTENSIONS = [
  'binary_tensor_data',
  'classification',
  'model_repository',
  'parameters',
  'schedule_policy',
  'statistics',
];

/** Of the list of platforms in the protocol. */
const PLATFORM = 'onnx_onnxv1';
const RETRY_MS = 2_000;

const ok = (value: unknown): Answer => ({ status: 200, value });

/** The operations of the API by their id. */
export function operations(
  shared: Shared,
): Record<Operation, (call: Call) => Answer | Promise<Answer>> {
  const infer = inferOperation(shared);
  const metadata = ({ match }: Call) =>
    ok(modelMetadata(shared.catalog, match.model!, match.version));
  const ready = ({ match }: Call) => modelReady(shared.catalog, match.model!, match.version);
  const statistics = ({ match }: Call) => ok(statisticsOf(shared, match.model, match.version));
  const change = (what: 'load' | 'unload') => async (call: Call) => {
    if (!shared.mayControl()) {
      throw new ApiError(
        403,
        `${what}: is switched off, see HOLDFAST_HTTP_TOKEN and the setting httpModelControl`,
      );
    }
    return ok(
      await control(
        shared.catalog,
        what,
        call.match.model!,
        await readJsonBody(shared, call.request),
      ),
    );
  };
  return {
    serverMetadata: () => ok({ name: 'holdfast', version: shared.version, extensions: EXTENSIONS }),
    openApi: () => ok(openApi(shared.version)),
    // Also without a model: this process lives. Readiness is another question.
    live: () => ok({ live: true }),
    ready: () => serverReady(shared),
    statistics,
    modelMetadata: metadata,
    versionMetadata: metadata,
    modelReady: ready,
    versionReady: ready,
    modelStatistics: statistics,
    versionStatistics: statistics,
    infer,
    versionInfer: infer,
    repositoryIndex: async ({ request }) =>
      ok(repositoryIndex(shared.catalog, await readJsonBody(shared, request))),
    loadModel: change('load'),
    unloadModel: change('unload'),
    score: scoreOperation(shared),
  };
}

/** The specification, KServe and Triton differ in the body; this one suits the clients of all three. */
function serverReady({ catalog, stopping }: Shared): Answer {
  const live = true;
  if (stopping()) return unready('the module is stopping', { live });
  if (catalog.entries().some(({ runner }) => runner !== undefined))
    return ok({ live, ready: true });
  return unready('no model is ready', { live });
}

function modelReady(catalog: Catalog, name: string, version?: string): Answer {
  const entry = knownModel(catalog, name, version);
  if (entry.runner !== undefined) return ok({ name, ready: true });
  const { message, headers } = notReady(entry, name);
  return { ...unready(message, { name }), headers };
}

const unready = (error: string, fields: object): Answer => ({
  status: 503,
  headers: later(503, error, RETRY_MS).headers,
  value: { ...fields, ready: false, error },
});

function modelMetadata(catalog: Catalog, name: string, version?: string): Record<string, unknown> {
  const { runner, entry } = readyModel(catalog, name, version);
  return {
    name,
    versions: versionsOf(catalog, name),
    platform: PLATFORM,
    inputs: runner.inputs,
    outputs: runner.outputs,
    properties: {
      digest: entry.identity!.digest,
      version: entry.identity!.version,
      role: entry.role,
    },
  };
}

function statisticsOf({ catalog, statistics }: Shared, name?: string, version?: string): unknown {
  if (name !== undefined) knownModel(catalog, name, version);
  const identities = catalog.entries().flatMap(({ identity }) => identity ?? []);
  const wanted = identities.filter(
    (identity) =>
      (name === undefined || identity.name === name) &&
      (version === undefined || identity.version === version),
  );
  const unique = new Map(
    wanted.map((identity) => [JSON.stringify([identity.name, identity.version]), identity]),
  );
  return {
    model_stats: [...unique.values()].map((identity) =>
      statistics.of({ name: identity.name, version: identity.version }),
    ),
  };
}
