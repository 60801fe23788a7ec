import type { ModelIdentity } from '@holdfast/contracts';
import {
  type FetchedBundle,
  type FetchOptions,
  refuseDowngrade,
  type VerifiedBundle,
} from '@holdfast/model-bundle';
import type { ModelState } from '../domain/catalog.ts';
import type { Source } from '../domain/slot.ts';
import { codeOf } from '../errors.ts';
import { type Budget, measureRunMs, overBudget, tighter } from './budget.ts';
import type { ModelStore } from './model-store.ts';
import type { SetModel } from './set-model.ts';

/** A model that will not be taken as it is; `again` tells whether another try may end differently. */
export class NotTaken extends Error {
  override readonly name = 'NotTaken';
  readonly code: string;
  readonly again: boolean;
  constructor(code: string, reason: string, again: boolean) {
    super(reason);
    this.code = code;
    this.again = again;
  }
}

/** What the ways of a bundle into a model need from outside. */
export interface Preparing {
  readonly store: ModelStore;
  fetch(ref: string, digest: string | undefined, options: FetchOptions): Promise<FetchedBundle>;
  /** Signature, schema, digests, the walk through the ONNX file. @throws an Error with `code` */
  verify(folder: string): Promise<VerifiedBundle>;
  /** Sessions, tensors, golden outputs. @throws an Error with `code` */
  load(bundle: VerifiedBundle, onStep: (state: ModelState) => void): Promise<SetModel>;
  /** One load at a time: two would share the CPUs, and the memory of one could not be told from the other's. */
  inTurn<T>(work: () => Promise<T>): Promise<T>;
  /** Of the model of this name that serves or served last; undefined: there was none. */
  lastVersion(name: string): string | undefined;
  budget(): Budget;
  monotonicMs(): number;
  rssBytes(): number;
  /** Of a download, the whole size if the source tells it. */
  onBytes(bytes: number): void;
  /** Asked before a load; throws NotTaken when the process ended too often in it. */
  loadBegins(identity: ModelIdentity): void;
  loadEnds(identity: ModelIdentity): void;
}

export interface Order {
  readonly source: Source;
  /** The bundle that it must be, or that it was when it served before. */
  readonly digest: string | undefined;
  readonly signal: AbortSignal;
  /** A bundle that served before is not measured again, nor refused because the process ended in its load. */
  readonly served: boolean;
  onStep(state: ModelState, more?: { identity?: ModelIdentity; percent?: number }): void;
}

/**
 * Brings a bundle from its source to a model that is ready: fetch, verify, load, check. Leaves nothing loaded behind
 * when it fails. @throws NotTaken
 */
export async function prepareModel(order: Order, by: Preparing): Promise<SetModel> {
  try {
    if (order.source.inPlace) {
      return await loaded(order, by, () => by.verify(order.source.ref));
    }
    const { folder, fresh } = await stored(order, by);
    return await loaded(order, by, () => verified(order, by, folder, fresh));
  } catch (error) {
    throw notTaken(error, order);
  }
}

/** The folder of the bundle in the store, fetched unless it is there; `fresh`: it came just now. */
async function stored(order: Order, by: Preparing): Promise<{ folder: string; fresh: boolean }> {
  const { source, digest, signal, onStep } = order;
  if (digest !== undefined && (await by.store.has(digest))) {
    return { folder: by.store.folderOf(digest), fresh: false };
  }
  onStep('fetching');
  let bytes = 0;
  let shown: number | undefined;
  const { folder, bytesFetched } = await by.fetch(source.ref, digest, {
    into: by.store.folder,
    signal,
    onProgress: ({ bytesDone, bytesTotal }) => {
      by.onBytes(Math.max(0, bytesDone - bytes));
      bytes = Math.max(bytes, bytesDone);
      if (bytesTotal === undefined || bytesTotal === 0) return;
      const percent = Math.floor((bytesDone / bytesTotal) * 10) * 10;
      if (percent !== shown) onStep('fetching', { percent });
      shown = percent;
    },
  });
  by.onBytes(Math.max(0, bytesFetched - bytes));
  return { folder, fresh: true };
}

/** A bundle that lay in the store and is not what it was comes from its source once more. */
async function verified(
  order: Order,
  by: Preparing,
  folder: string,
  fresh: boolean,
): Promise<VerifiedBundle> {
  try {
    const bundle = await by.verify(folder).catch((error: unknown) => {
      if (fresh || !SIGNATURE_CODES.includes(codeOf(error) ?? '')) throw error;
      return signedAnew(order, by, folder, error);
    });
    const { digest } = bundle.identity;
    if (fresh || digest === order.digest) return bundle;
    throw new NotTaken('BUNDLE_DIGEST', `the store has ${digest} in place of it`, true);
  } catch (error) {
    if (fresh || !isDamage(error)) throw error;
    if (order.digest !== undefined) await by.store.remove(order.digest);
    throw new NotTaken(
      'STORE_DAMAGED',
      `the copy in the store was damaged and is fetched again: ${(error as Error).message}`,
      true,
    );
  }
}

const SIGNATURE_CODES = ['BUNDLE_UNSIGNED', 'BUNDLE_SIGNATURE', 'BUNDLE_KEY', 'BUNDLE_ALTERED'];

/** The keys of the site may have changed since it came: perhaps its source has a signature that holds by now. */
async function signedAnew(
  { source, digest, signal }: Order,
  by: Preparing,
  folder: string,
  refusal: unknown,
): Promise<VerifiedBundle> {
  const options = { into: by.store.folder, signal, refreshSignature: true };
  const fetched = await by.fetch(source.ref, digest, options).catch(() => undefined);
  if (fetched === undefined) throw refusal;
  by.onBytes(fetched.bytesFetched);
  return by.verify(folder);
}

/** Every byte was right when it came, so these tell of the disk and not of the bundle. */
const isDamage = (error: unknown): boolean =>
  ['BUNDLE_DIGEST', 'BUNDLE_FILE_MISSING', 'BUNDLE_NOT_JSON', 'BUNDLE_NO_FOLDER'].includes(
    codeOf(error) ?? '',
  );

async function loaded(
  order: Order,
  by: Preparing,
  verify: () => Promise<VerifiedBundle>,
): Promise<SetModel> {
  return by.inTurn(async () => {
    order.signal.throwIfAborted();
    order.onStep('verifying');
    const bundle = await verify();
    refuseOlder(bundle, order, by);
    order.signal.throwIfAborted();
    order.onStep('loading', { identity: bundle.identity });
    const guarded = !order.served && !order.source.inPlace;
    if (guarded) by.loadBegins(bundle.identity);
    const rssBytes = by.rssBytes();
    try {
      const model = await by.load(bundle, (state) => order.onStep(state));
      try {
        order.signal.throwIfAborted();
        if (!order.served) await checkBudget(bundle, model, rssBytes, by);
        return model;
      } catch (error) {
        await model.close();
        throw error;
      }
    } finally {
      if (guarded) by.loadEnds(bundle.identity);
    }
  });
}

/**
 * A ref without digest takes whatever lies there, so an older bundle, signed when it was the newest, could be put there
 * for the sake of a flaw. Where nothing is signed anybody can write any version, and a digest says which one is meant.
 */
function refuseOlder(
  { identity, signedBy }: VerifiedBundle,
  { source, digest }: Order,
  by: Preparing,
): void {
  if (signedBy === undefined || source.digest !== undefined || identity.digest === digest) return;
  refuseDowngrade(identity, by.lastVersion(identity.name));
}

async function checkBudget(
  { manifest, golden }: VerifiedBundle,
  model: SetModel,
  rssBytesBefore: number,
  by: Preparing,
): Promise<void> {
  const budget = tighter(by.budget(), manifest.budget);
  const window = golden.cases[0]?.input.flat();
  const measured: Budget = {};
  if (budget.runMs !== undefined && window !== undefined) {
    measured.runMs = await measureRunMs(model.scorer, Float32Array.from(window), by.monotonicMs);
  }
  if (budget.memoryMb !== undefined) measured.memoryMb = (by.rssBytes() - rssBytesBefore) / 1e6;
  const over = overBudget(measured, budget);
  if (over !== undefined) throw new NotTaken(over.code, over.reason, false);
}

/**
 * A source that may answer otherwise later is asked again, and so is a folder that is used in place, which may be mended
 * there; what is wrong with the bundle itself stays wrong.
 */
function notTaken(error: unknown, { source }: Order): NotTaken {
  if (error instanceof NotTaken) return error;
  const { message, retry } = error as Error & { retry?: string };
  const code = codeOf(error) ?? 'UNEXPECTED';
  const again =
    source.inPlace || (retry === undefined ? !code.startsWith('BUNDLE_') : retry !== 'never');
  return new NotTaken(code, message, again);
}
