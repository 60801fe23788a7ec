import { createHash } from 'node:crypto';
import type { Statement } from 'better-sqlite3';
import type { HubDatabase } from './database.ts';
import { HubError } from './errors.ts';
import {
  type Document,
  diffPatch,
  isDocument,
  mergePatch,
  refuseReported,
  refuseSize,
} from './twin-rules.ts';

/** Both sections with their versions; `$version` is added only on the wire. */
export interface Twin {
  desired: Document;
  desiredVersion: number;
  reported: Document;
  reportedVersion: number;
}

/** A change of the desired properties that subscribers have to hear of. */
export interface DesiredChange {
  client: string;
  patch: Document;
  version: number;
}

interface Row {
  desired: string;
  desired_version: number;
  reported: string;
  reported_version: number;
  manifest: string;
  deployment: string;
  reported_synced: number;
}

/** Twins on disk, by client id. Every change is committed when the call returns. */
export class TwinStore {
  readonly #read: Statement;
  readonly #add: Statement;
  readonly #setDesired: Statement;
  readonly #setReported: Statement;
  readonly #setSynced: Statement;
  readonly #unsynced: Statement;
  readonly #clients: Statement;

  constructor(db: HubDatabase) {
    this.#clients = db.prepare('SELECT client FROM twin ORDER BY client').pluck();
    this.#read = db.prepare('SELECT * FROM twin WHERE client = ?');
    this.#add = db.prepare(
      "INSERT OR IGNORE INTO twin (client, desired, desired_version, reported, reported_version) VALUES (?, '{}', 1, '{}', 1)",
    );
    this.#setDesired = db.prepare(
      'UPDATE twin SET desired = ?, desired_version = ?, manifest = ?, deployment = ? WHERE client = ?',
    );
    this.#setReported = db.prepare(
      'UPDATE twin SET reported = ?, reported_version = ? WHERE client = ?',
    );
    this.#setSynced = db.prepare(
      'UPDATE twin SET reported_synced = max(reported_synced, ?) WHERE client = ?',
    );
    this.#unsynced = db.prepare(
      'SELECT client, reported, reported_version FROM twin WHERE reported_synced < reported_version ORDER BY client',
    );
  }

  get(client: string): Twin {
    const row = this.#row(client);
    return {
      desired: JSON.parse(row.desired) as Document,
      desiredVersion: row.desired_version,
      reported: JSON.parse(row.reported) as Document,
      reportedVersion: row.reported_version,
    };
  }

  /** Client ids that have a twin. */
  clients(): string[] {
    return this.#clients.all() as string[];
  }

  /** Digest of what this site last set by itself: a manifest, or a local change. The cloud takes each one over. */
  deployment(client: string): string {
    return this.#row(client).deployment;
  }

  /** @throws HubError HUB_BAD_REQUEST with the rule that the patch breaks. */
  patchReported(client: string, patch: unknown): number {
    const problem = refuseReported(patch);
    if (problem !== undefined) throw new HubError('HUB_BAD_REQUEST', problem);
    const twin = this.get(client);
    const reported = mergePatch(twin.reported, patch as Document);
    const tooLarge = refuseSize(reported);
    if (tooLarge !== undefined) throw new HubError('HUB_BAD_REQUEST', tooLarge);
    const version = twin.reportedVersion + 1;
    this.#setReported.run(JSON.stringify(reported), version, client);
    return version;
  }

  /** @throws HubError HUB_BAD_REQUEST */
  patchDesired(client: string, patch: unknown): DesiredChange {
    if (!isDocument(patch)) {
      throw new HubError('HUB_BAD_REQUEST', 'desired properties must be a JSON object');
    }
    const twin = this.get(client);
    const desired = mergePatch(twin.desired, patch);
    const tooLarge = refuseSize(desired);
    if (tooLarge !== undefined) throw new HubError('HUB_BAD_REQUEST', tooLarge);
    const version = twin.desiredVersion + 1;
    const { manifest } = this.#row(client);
    const change = digestOf({ desired, version });
    this.#setDesired.run(JSON.stringify(desired), version, manifest, change, client);
    return { client, patch, version };
  }

  /**
   * Desired properties of a deployment: replace the section once for each new content, so that what the cloud
   * changed afterwards survives a restart with the same deployment.
   */
  deploy(client: string, desired: Document): DesiredChange | undefined {
    const digest = digestOf(desired);
    const { manifest } = this.#row(client);
    if (manifest === digest) return undefined;
    const first = manifest === '';
    const twin = this.get(client);
    const version = first ? twin.desiredVersion : twin.desiredVersion + 1;
    this.#setDesired.run(JSON.stringify(desired), version, digest, digest, client);
    return { client, patch: diffPatch(twin.desired, desired), version };
  }

  /** Takes over the cloud's section; undefined when it is the one that is known. */
  adopt(client: string, desired: Document, version: number): DesiredChange | undefined {
    const twin = this.get(client);
    if (twin.desiredVersion === version) return undefined;
    const { manifest, deployment } = this.#row(client);
    this.#setDesired.run(JSON.stringify(desired), version, manifest, deployment, client);
    return { client, patch: diffPatch(twin.desired, desired), version };
  }

  /** Reported sections that the cloud does not have yet. */
  unsynced(): { client: string; reported: Document; version: number }[] {
    const rows = this.#unsynced.all() as (Pick<Row, 'reported' | 'reported_version'> & {
      client: string;
    })[];
    return rows.map((row) => ({
      client: row.client,
      reported: JSON.parse(row.reported) as Document,
      version: row.reported_version,
    }));
  }

  synced(client: string, version: number): void {
    this.#setSynced.run(version, client);
  }

  #row(client: string): Row {
    const row = this.#read.get(client) as Row | undefined;
    if (row !== undefined) return row;
    this.#add.run(client);
    return this.#read.get(client) as Row;
  }
}

const digestOf = (desired: Document): string =>
  createHash('sha256').update(JSON.stringify(desired)).digest('hex');
