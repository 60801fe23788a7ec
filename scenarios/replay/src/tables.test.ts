import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { temporaryFolder } from '@holdfast/testkit';
import { describe, expect, it } from '@jest/globals';
import { mapOf, type ReplayRow, readRows } from './read-rows.ts';
import { findTables } from './tables.ts';

describe('the tables of a folder', () => {
  it('are assets of their own, even when two folders hold files of one name', async () => {
    const folder = temporaryFolder();
    for (const name of ['press', 'pump']) {
      mkdirSync(path.join(folder, name));
      for (const file of ['1.csv', '10.csv', '2.CSV', 'notes.txt']) {
        writeFileSync(path.join(folder, name, file), 'time,a\n');
      }
    }
    const tables = [
      ...(await findTables(path.join(folder, 'press'))),
      ...(await findTables(path.join(folder, 'pump'))),
    ];
    expect(tables.map(({ asset }) => asset)).toEqual([
      ...['press-1', 'press-2', 'press-10'],
      ...['pump-1', 'pump-2', 'pump-10'],
    ]);
  });

  it('are read row by row, with what is no number left as it is for ingest to refuse', async () => {
    const file = path.join(temporaryFolder(), 'loop.csv');
    writeFileSync(
      file,
      'datetime;a;b\n2020-03-09 10:14:33;1.5;\nyesterday;x;2\n2020-03-09 10:14:33;3;4\n',
    );
    const rows: ReplayRow[] = [];
    for await (const row of readRows(file, await mapOf(file, undefined), 'loop')) rows.push(row);
    const t = Date.UTC(2020, 2, 9, 10, 14, 33);
    expect(rows).toEqual([
      { asset: 'loop', t, values: { a: 1.5, b: null } },
      { asset: 'loop', t: 'yesterday', values: { a: 'x', b: 2 } },
      { asset: 'loop', t, values: { a: 3, b: 4 } },
    ]);
  });

  it('are missed by name', async () => {
    await expect(findTables('/no/such/folder')).rejects.toThrow('there is no such file or folder');
  });
});
