import { copyFileSync, existsSync, mkdirSync } from 'node:fs';
import path from 'node:path';
import { type Blob, BlobStore } from './blob-store.ts';
import { type Produced, StoreForwarder } from './store-forwarder.ts';

/** A store as a SIGKILL, or an orderly stop, has left it. */
export interface StoreState {
  name: string;
  folder: string;
  /** What is at the blob store. */
  blobs: Map<string, Blob>;
  produced: Produced;
  /** Rows applied. */
  applied: number;
}

const FILES = ['forwarder.db', 'forwarder.db-wal', 'forwarder.db-proof'];

export function copyStore(from: string, to: string): void {
  mkdirSync(to, { recursive: true });
  for (const file of FILES) {
    if (existsSync(path.join(from, file))) copyFileSync(path.join(from, file), path.join(to, file));
  }
}

const copyProduced = (produced: Produced): Produced =>
  new Map([...produced].map(([id, texts]) => [id, new Set(texts)]));

/** Builds stores with the real forwarder, in all the states that a record can be in, log hot and cold. */
export async function buildStates(folder: string): Promise<StoreState[]> {
  const states: StoreState[] = [];
  const live = path.join(folder, 'live');
  mkdirSync(live, { recursive: true });
  const produced: Produced = new Map();
  const store = await BlobStore.start();
  let applied = 0;
  const take = (name: string): void => {
    const copy = path.join(folder, name);
    copyStore(live, copy);
    const blobs = new Map(store.blobs);
    states.push({ name, folder: copy, blobs, produced: copyProduced(produced), applied });
  };
  const start = (connection: string | undefined): Promise<StoreForwarder> =>
    StoreForwarder.start({ folder: live, connection, produced });
  const apply = (forwarder: StoreForwarder, rows: number): void => {
    forwarder.apply(applied + 1, applied + rows);
    applied += rows;
  };

  let forwarder = await start(undefined);
  apply(forwarder, 600);
  take('waiting, log hot');
  await forwarder.stop();
  take('waiting, log cold');

  forwarder = await start(store.connection);
  await forwarder.flush();
  apply(forwarder, 1_500);
  take('delivered in part, log hot');
  store.mode = 'answers-lost';
  await forwarder.flush();
  take('sealed and at the store, not settled');
  apply(forwarder, 800);
  take('sealed, with more behind');
  await forwarder.stop();
  take('sealed, log cold');

  store.mode = 'away';
  forwarder = await start(store.connection);
  apply(forwarder, 300);
  await forwarder.flush();
  take('sealed, the store away');
  await forwarder.stop();
  store.mode = 'well';
  forwarder = await start(store.connection);
  while ((await forwarder.flush()) > 0);
  apply(forwarder, 40);
  take('nearly everything delivered');
  await forwarder.stop();
  await store.stop();
  return states;
}
