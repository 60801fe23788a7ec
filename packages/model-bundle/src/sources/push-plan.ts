import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { SourceError } from './errors.ts';
import type { RequestBody } from './http-client.ts';
import { filesOf, readManifest, titleOf } from './manifest-files.ts';
import { MANIFEST, SIGNATURE } from './source.ts';
import { digestOf, digestOfFile } from './store.ts';

/** Bytes of one file or blob that goes up, any part of them as often as it takes. */
export interface PushedFile {
  name: string;
  digest: string;
  bytes: number;
  /** @param end exclusive */
  body(start: number, end: number): RequestBody;
}

/** A bundle that has been checked and is ready to go: `model.json` last. */
export interface PushPlan {
  name: string;
  version: string;
  digest: string;
  folder: string;
  files: readonly PushedFile[];
}

/** Reads the bundle in a folder and checks all digests. @throws SourceError */
export async function planOf(folder: string): Promise<PushPlan> {
  const manifest = await readManifest(join(folder, MANIFEST));
  if (manifest === undefined) {
    throw new SourceError('SOURCE_NOT_FOUND', `${folder} is no bundle, it has no ${MANIFEST}`);
  }
  const files: PushedFile[] = [];
  for (const { name, digest } of filesOf(manifest)) {
    const path = join(folder, name);
    const found = await digestOfFile(path);
    if (found !== digest) {
      const text = `${path} ${found === undefined ? 'cannot be read' : `is ${found}`}, ${MANIFEST} names ${digest}`;
      throw new SourceError('SOURCE_DIGEST', text);
    }
    files.push(onDisk(name, path, digest, (await stat(path)).size));
  }
  const signature = await readManifest(join(folder, SIGNATURE));
  if (signature !== undefined) files.push(inMemory(SIGNATURE, signature));
  files.push(inMemory(MANIFEST, manifest));
  return { ...titleOf(manifest), digest: digestOf(manifest), folder, files };
}

const onDisk = (name: string, path: string, digest: string, bytes: number): PushedFile => ({
  name,
  digest,
  bytes,
  body: (start, end) => ({
    bytes: end - start,
    // An empty file has no last byte that could be named.
    open: () =>
      end === start ? Readable.from([]) : createReadStream(path, { start, end: end - 1 }),
  }),
});

/** A file whose bytes are here. */
export const inMemory = (name: string, content: Buffer): PushedFile => ({
  name,
  digest: digestOf(content),
  bytes: content.length,
  body: (start, end) => ({
    bytes: end - start,
    open: () => Readable.from(end === start ? [] : [content.subarray(start, end)]),
  }),
});
