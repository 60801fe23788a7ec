import type { AssetScores, BundleManifest, ModelIdentity } from '@holdfast/contracts';
import type { Catalog, CatalogEntry } from '../domain/catalog.ts';
import type { ModelRunner } from '../domain/model-runner.ts';
import { type AssetOutcome, outcomesOf } from '../domain/outcome.ts';
import { scoreAssets } from '../domain/score-batch.ts';
import { codeOf } from '../errors.ts';
import type { Answer } from './answer.ts';
import { ApiError, later } from './api-error.ts';
import { parseJson } from './json-text.ts';
import type { Call, Shared } from './operations.ts';
import { mustBeJson } from './read-json-body.ts';
import { RequestBody } from './request-body.ts';
import { readScoreRows } from './score-rows.ts';

/** A model in use, with everything that is known about it. */
export type ReadyEntry = CatalogEntry & {
  identity: ModelIdentity;
  manifest: BundleManifest;
  runner: ModelRunner;
};

/** Scores one picture; what it gives becomes the answer. @throws ImageError, ScorerError */
export type ScoreImage = (
  entry: ReadyEntry,
  image: Buffer,
  options: { deadlineMs: number },
) => Promise<Record<string, unknown>>;

/** More rows than anybody needs at once; larger things go through the protocol. */
const JSON_BYTES_MAX = 1024 * 1024;
const RETRY_MS = 2_000;
const WINDOWS_PER_RUN_MAX = 1_024;
/** By the code of an ImageError. */
const IMAGE_STATUS: Record<string, number> = {
  IMAGE_EMPTY: 400,
  IMAGE_UNREADABLE: 400,
  IMAGE_TOO_LARGE: 413,
  IMAGE_TYPE: 415,
};

const AGAIN = new Set(['SCORER_UNAVAILABLE', 'RUN_INTERRUPTED']);

/** `POST /score`: rows or a picture to the active model, and what it thinks of them. A convention, no standard. */
export function scoreOperation(shared: Shared): (call: Call) => Promise<Answer> {
  return async (call) => {
    const isImage = /^image\//i.test(call.request.headers['content-type'] ?? '');
    if (!isImage) mustBeJson(call.request);
    activeModel(shared.catalog, isImage);
    const bytesMax = isImage ? shared.settings().httpBodyBytesMax : JSON_BYTES_MAX;
    const body = new RequestBody(shared.held);
    try {
      await body.read(call.request, { bytesMax, what: isImage ? 'for a picture' : 'here' });
      const bytes = await body.bytes(0, body.byteLength);
      const score = isImage ? scoreImage : scoreRows;
      const value = await score(shared, bytes, call).catch((error: unknown) => {
        // The model was exchanged just now: its successor is there already.
        if (!AGAIN.has(codeOf(error) ?? '')) throw error;
        return score(shared, bytes, call);
      });
      return { status: 200, value };
    } finally {
      body.letGo();
    }
  };
}

/** The first active model of the kind. @throws ApiError 503 */
function activeModel(catalog: Catalog, forImages: boolean): ReadyEntry {
  const entry = catalog
    .entries()
    .find(
      ({ role, runner, identity, manifest }) =>
        role === 'active' &&
        runner !== undefined &&
        identity !== undefined &&
        manifest !== undefined &&
        (manifest.inputs.image !== undefined) === forImages,
    );
  if (entry !== undefined) return entry as ReadyEntry;
  throw later(
    503,
    `no active model for ${forImages ? 'pictures' : 'rows of signals'} is ready`,
    RETRY_MS,
  );
}

async function scoreRows(
  shared: Shared,
  bytes: Buffer<ArrayBuffer>,
): Promise<Record<string, unknown>> {
  const json = parseJson(bytes);
  const { identity, manifest, ...entry } = activeModel(shared.catalog, false);
  const { assets, asked } = readScoreRows(json, manifest.inputs);
  const scorer = shared.scorerOf({ identity, manifest, ...entry });
  const turn = () => new Promise<void>(setImmediate);
  const options = { windowsPerRunMax: WINDOWS_PER_RUN_MAX, turn };
  const part = await scoreAssets(assets, { identity, manifest, scorer }, options);
  return { model: identity, ...answerOf(outcomesOf(part), asked) };
}

/** One entry for each row that was asked for, in their order; null where there is no score, with the reason. */
function answerOf(outcomes: readonly AssetOutcome[], asked: readonly number[]) {
  const places = new Map(asked.map((seq, place) => [seq, place]));
  const scores: (number | null)[] = asked.map(() => null);
  const levels: (number | null)[] = asked.map(() => null);
  const contributions: (Record<string, number> | null)[] = asked.map(() => null);
  const problems: { row: number; code: string; detail?: string }[] = [];
  const tell = (seq: number, problem: { code: string; detail?: string }): void => {
    const row = places.get(seq);
    if (row !== undefined) problems.push({ row, ...problem });
  };
  for (const { scored, rejected, unscored } of outcomes) {
    for (const [at, seq] of (scored?.seq ?? []).entries()) {
      const place = places.get(seq);
      if (place === undefined) continue;
      scores[place] = scored!.score[at]!;
      levels[place] = scored!.level[at]!;
      contributions[place] = sharesOf(scored!, at);
    }
    for (const { seq, code, detail } of rejected) tell(seq, { code, detail });
    for (const { seq: list, code } of unscored) for (const seq of list) tell(seq, { code });
  }
  problems.sort((a, b) => a.row - b.row);
  return { scores, levels, contributions, problems };
}

/** Share of each signal in a score; null for a row that is normal, or a model that tells none. */
function sharesOf({ above }: AssetScores, row: number): Record<string, number> | null {
  const at = above?.row.indexOf(row) ?? -1;
  if (above === undefined || at < 0) return null;
  const shares = above.contribution[at]!;
  return Object.fromEntries(above.signals.map((name, signal) => [name, shares[signal]!]));
}

async function scoreImage(
  shared: Shared,
  bytes: Buffer<ArrayBuffer>,
  { startMs }: Call,
): Promise<Record<string, unknown>> {
  const entry = activeModel(shared.catalog, true);
  if (shared.scoreImage === undefined) throw new ApiError(501, 'pictures are not supported');
  const deadlineMs = startMs + shared.settings().httpTimeoutMs;
  const result = await shared.scoreImage(entry, bytes, { deadlineMs }).catch((error: Error) => {
    const status = IMAGE_STATUS[codeOf(error) ?? ''];
    throw status === undefined ? error : new ApiError(status, `body: ${error.message}`);
  });
  return { model: entry.identity, ...result };
}
