import { createCipheriv, createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';

const sha256 = (bytes: string | Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;

export interface ABundle {
  folder: string;
  digest: string;
  /** Of all files but `model.json`. */
  bytes: number;
  files: Record<string, Buffer>;
}

/** Bytes that look random and are the same for the same seed. */
export function noise(size: number, seed = 1): Buffer {
  const key = Buffer.alloc(16, seed);
  return createCipheriv('aes-128-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}

/** A folder that is carried as a bundle is. Its model is noise: carrying does not look into it. */
export function aBundle(
  options: {
    folder?: string;
    modelBytes?: number;
    seed?: number;
    name?: string;
    signature?: string;
    files?: Record<string, string | Buffer>;
  } = {},
): ABundle {
  const folder = options.folder ?? temporaryFolder('bundle');
  const { modelBytes = 300_000, seed = 1, name = 'pump', signature } = options;
  const files: Record<string, Buffer> = {
    'model.onnx': noise(modelBytes, seed),
    'golden.json': Buffer.from('{"cases": []}'),
    'README.md': Buffer.from(`# ${name}\n`),
  };
  for (const [file, content] of Object.entries(options.files ?? {})) {
    files[file] = Buffer.from(content);
  }
  const digests = Object.fromEntries(
    Object.entries(files).map(([file, bytes]) => [file, sha256(bytes)]),
  );
  const manifest = JSON.stringify({ v: 1, name, version: '1.0.0', files: digests });
  mkdirSync(folder, { recursive: true });
  for (const [file, bytes] of Object.entries(files)) writeFileSync(join(folder, file), bytes);
  writeFileSync(join(folder, 'model.json'), manifest);
  if (signature !== undefined) writeFileSync(join(folder, 'model.sig'), signature);
  const bytes = Object.values(files).reduce((sum, file) => sum + file.length, 0);
  return { folder, digest: sha256(manifest), bytes, files };
}
