import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

export interface TableFile {
  file: string;
  /** The file's name, after those of its folders up to the input; safe as an asset name. */
  asset: string;
}

/** All CSV files at or below a path, in a stable order. @throws Error that says what was looked for. */
export async function findTables(input: string): Promise<TableFile[]> {
  const info = await stat(input).catch(() => undefined);
  if (info === undefined) throw new Error(`${input}: there is no such file or folder`);
  if (info.isFile()) return [{ file: input, asset: assetOf(path.basename(input)) }];
  const names = (await readdir(input, { recursive: true }))
    .filter((name) => name.toLowerCase().endsWith('.csv'))
    .sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
  if (names.length === 0) throw new Error(`${input}: no .csv file in this folder or below it`);
  const folder = path.basename(path.resolve(input));
  return names.map((name) => ({
    file: path.join(input, name),
    asset: assetOf(path.join(folder, name)),
  }));
}

const assetOf = (name: string): string =>
  name
    .replace(/\.csv$/i, '')
    .replace(/[^\p{L}\p{N}_-]+/gu, '-')
    .replace(/^-+|-+$/g, '') || 'asset';
