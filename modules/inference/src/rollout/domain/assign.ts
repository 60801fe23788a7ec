import type { BundleManifest, ModelIdentity } from '@holdfast/contracts';
import { chooseActive, fits, type SlotModel } from '../../domain/route-models.ts';

/** The models of one moment; a batch is scored with one such picture from beginning to end. */
export interface ModelRoles<Model> {
  readonly actives: readonly SlotModel<Model>[];
  readonly canaries: readonly SlotModel<Model>[];
  readonly shadows: readonly SlotModel<Model>[];
}

/** The models for the rows of one asset. */
export interface Assignment<Model> {
  /** Undefined when there is no model at all. */
  readonly active: SlotModel<Model> | undefined;
  /** Scores first; rows that it cannot score keep the outcome of `active`. */
  readonly canary: SlotModel<Model> | undefined;
  /** Score too, and change nothing. */
  readonly shadows: readonly SlotModel<Model>[];
}

type Known = { readonly identity: ModelIdentity; readonly manifest: BundleManifest };

/**
 * Which models meet an asset: a pure function of its name and signals and of the models, so the same on every box and
 * after every restart. A canary or shadow challenges the active model whose bundle has the same name; where there is
 * none of its name, any asset that has all its signals. Of several canaries the first takes an asset.
 */
export function assign<Model extends Known>(
  { asset, signals }: { asset: string; signals: readonly string[] },
  { actives, canaries, shadows }: ModelRoles<Model>,
): Assignment<Model> {
  const active = chooseActive(actives, signals);
  if (active === undefined || canaries.length + shadows.length === 0) {
    return { active, canary: undefined, shadows: [] };
  }
  const names = new Set(signals);
  const challenges = ({ model }: SlotModel<Model>): boolean => {
    const { name } = model.identity;
    const hasNamesake = actives.some((one) => one.model.identity.name === name);
    return (!hasNamesake || active.model.identity.name === name) && fits(model, names);
  };
  return {
    active,
    canary: canaries.find((one) => takes(one, asset) && challenges(one)),
    shadows: shadows.filter(challenges),
  };
}

/** Assets of a batch that meet the same models, by their indexes; each model runs once for them, on equal terms. */
export interface Group<Model> extends Assignment<Model> {
  readonly indexes: number[];
}

export function groupsOf<Model extends Known>(
  assets: readonly { asset: string; signals: readonly string[] }[],
  roles: ModelRoles<Model>,
): Group<Model>[] {
  const groups = new Map<string, Group<Model>>();
  for (const [index, asset] of assets.entries()) {
    const { active, canary, shadows } = assign(asset, roles);
    const key = [active, canary, ...shadows].map((one) => one?.slot).join('\n');
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { active, canary, shadows, indexes: [index] });
    else group.indexes.push(index);
  }
  return [...groups.values()];
}

const takes = ({ slot, share, model }: SlotModel<Known>, asset: string): boolean =>
  placeOf(asset, `${slot}\n${model.identity.digest}`) < share;

/**
 * The place of an asset on a line from 0 to below 1; a canary takes all assets below its share, so one in a share of 10 %
 * is also in one of 20 %. Another salt is another order: not always the same assets try what is new. FNV-1a over UTF-16
 * units, then the finalizer of MurmurHash3, without which names that differ in their last letter lie close together.
 */
export function placeOf(asset: string, salt: string): number {
  let hash = 0x811c9dc5;
  const text = `${salt}\n${asset}`;
  for (let at = 0; at < text.length; at += 1) {
    hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 4_294_967_296;
}
