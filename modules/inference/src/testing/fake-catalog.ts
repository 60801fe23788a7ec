import type { BundleManifest } from '@holdfast/contracts';
import type { Catalog, CatalogEntry } from '../domain/catalog.ts';
import type { ModelRunner } from '../domain/model-runner.ts';

/** A catalogue that a test fills by hand. */
export class FakeCatalog implements Catalog {
  readonly list: CatalogEntry[] = [];
  /** Thrown by the next load or unload. */
  failNext: Error | undefined;
  readonly calls: string[] = [];
  /** Of the models that are unloaded. */
  readonly #runners = new Map<string, ModelRunner>();

  entries(): readonly CatalogEntry[] {
    return this.list;
  }

  find(name: string, version?: string): CatalogEntry | undefined {
    const named = this.list.filter(({ identity }) => identity?.name === name);
    if (version !== undefined) return named.find(({ identity }) => identity?.version === version);
    const ready = named.filter(({ runner }) => runner !== undefined);
    return ready.find(({ role }) => role === 'active') ?? ready[0] ?? named[0];
  }

  async load(name: string): Promise<void> {
    this.#called('load', name);
    this.#change(name, (entry) => {
      const runner = entry.runner ?? this.#runners.get(name);
      return runner === undefined ? entry : { ...entry, state: 'ready', runner };
    });
  }

  async unload(name: string): Promise<void> {
    this.#called('unload', name);
    this.#change(name, ({ runner, ...entry }) => {
      if (runner !== undefined) this.#runners.set(name, runner);
      return { ...entry, state: 'unloaded' };
    });
  }

  #called(what: string, name: string): void {
    this.calls.push(`${what} ${name}`);
    const failure = this.failNext;
    this.failNext = undefined;
    if (failure !== undefined) throw failure;
  }

  #change(name: string, change: (entry: CatalogEntry) => CatalogEntry): void {
    const at = this.list.findIndex(({ identity }) => identity?.name === name);
    this.list[at] = change(this.list[at]!);
  }
}

/** An entry that is ready, unless `change` says otherwise. */
export const anEntry = (
  name: string,
  runner: ModelRunner | undefined,
  change: Partial<CatalogEntry> & { version?: string; manifest?: BundleManifest } = {},
): CatalogEntry => {
  const { version = '1', ...fields } = change;
  return {
    slot: name,
    role: 'serve',
    state: runner === undefined ? 'loading' : 'ready',
    sinceMs: 0,
    identity: { name, version, digest: `sha256:${'a'.repeat(64)}` },
    ...(runner === undefined ? {} : { runner }),
    ...fields,
  };
};
