/**
 * Goal: each row of a file that appears in the input folder is taken in exactly once, whatever happens in between.
 * Method: a real process; files are put in place by rename; SIGKILL in the middle of a large one.
 */
import { existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ChildProcess, until } from '@holdfast/testkit';
import { afterAll, describe, expect, it, jest } from '@jest/globals';
import { IngestProcess } from './ingest-process.ts';

// Processes start slowly on a busy machine.
jest.setTimeout(120_000);

afterAll(() => ChildProcess.killAll());

/** Puts a whole file in place at once, as a source should. */
function put(ingest: IngestProcess, name: string, text: string): void {
  const path = join(ingest.inputFolder, name);
  writeFileSync(`${path}.part`, text);
  renameSync(`${path}.part`, path);
}

const appears = (ingest: IngestProcess, path: string) =>
  until(() => existsSync(join(ingest.inputFolder, path)), {
    timeoutMs: 60_000,
    what: () => `${path}; there is ${readdirSync(ingest.inputFolder).join(', ')}`,
  });

const csvOf = (rows: number): string => {
  const lines = ['asset,t,value,note'];
  const t = Date.now() - rows;
  for (let row = 1; row <= rows; row += 1) lines.push(`pump-${row % 5},${t + row},${row},`);
  return `${lines.join('\n')}\n`;
};

describe('the input folder', () => {
  it('takes CSV, NDJSON and JSON files and moves them to done', async () => {
    const ingest = await IngestProcess.start();
    const reading = { asset: 'pump-1', t: Date.now(), values: { value: 1 } };
    put(ingest, 'a.csv', csvOf(3));
    put(ingest, 'b.ndjson', `${JSON.stringify(reading)}\n${JSON.stringify(reading)}`);
    put(ingest, 'c.json', JSON.stringify([reading]));
    put(ingest, 'not-ours.txt', 'x');
    await appears(ingest, 'done/a.csv');
    await appears(ingest, 'done/b.ndjson');
    await appears(ingest, 'done/c.json');
    expect((await ingest.status()).accepted).toBe(6);
    expect(readdirSync(join(ingest.inputFolder, 'done'))).toHaveLength(3);
    expect(existsSync(join(ingest.inputFolder, 'not-ours.txt'))).toBe(true);
    await ingest.child.kill();
  });

  it('leaves a file that is still being written alone', async () => {
    const ingest = await IngestProcess.start();
    writeFileSync(join(ingest.inputFolder, 'a.csv.part'), csvOf(3));
    put(ingest, 'b.csv', csvOf(1));
    await appears(ingest, 'done/b.csv');
    expect((await ingest.status()).accepted).toBe(1);
    await ingest.child.kill();
  });

  it('says beside the file which rows it refused, and keeps files without a good row apart', async () => {
    const ingest = await IngestProcess.start();
    put(ingest, 'some.csv', `asset,t,value\npump-1,${Date.now()},1\npump-1,${Date.now()},x\n`);
    put(ingest, 'none.csv', 'time;value\n1;2\n');
    put(ingest, 'broken.json', '{"asset":');
    await appears(ingest, 'done/some.csv');
    await appears(ingest, 'failed/none.csv');
    await appears(ingest, 'failed/broken.json');
    const report = (path: string): unknown =>
      JSON.parse(readFileSync(join(ingest.inputFolder, `${path}.problems.json`), 'utf8'));
    expect(report('done/some.csv')).toMatchObject({
      accepted: 1,
      refused: 1,
      problems: [{ line: 3, path: 'value', value: '"x"' }],
    });
    expect(report('failed/none.csv')).toMatchObject({
      accepted: 0,
      problems: [{ code: 'csv-header' }],
    });
    expect(report('failed/broken.json')).toMatchObject({ problems: [{ code: 'json-syntax' }] });
    await ingest.child.kill();
  });

  it('keeps both files when a name comes twice', async () => {
    const ingest = await IngestProcess.start();
    put(ingest, 'a.csv', csvOf(1));
    await appears(ingest, 'done/a.csv');
    put(ingest, 'a.csv', csvOf(2));
    await appears(ingest, 'done/a.csv.1');
    expect((await ingest.status()).accepted).toBe(3);
    await ingest.child.kill();
  });

  it('passes over a line without end and reads on', async () => {
    const ingest = await IngestProcess.start();
    const row = JSON.stringify({ asset: 'pump-1', t: Date.now(), values: { value: 1 } });
    put(ingest, 'a.ndjson', `${row}\n${'x'.repeat(5_000_000)}\n${row}\n`);
    await appears(ingest, 'done/a.ndjson');
    expect(await ingest.status()).toMatchObject({ accepted: 2, refused: { 'line-too-long': 1 } });
    await ingest.child.kill();
  });

  it('takes each row once although it is killed again and again on the way', async () => {
    const rows = 60_000;
    let ingest = await IngestProcess.start();
    const { folder } = ingest;
    put(ingest, 'large.csv', csvOf(rows));
    for (let kills = 0; kills < 3; kills += 1) {
      const before = ((await ingest.status()).accepted as number) ?? 0;
      const current = ingest;
      await until(async () => ((await current.status()).accepted as number) > before || kills > 0, {
        every: 1,
        timeoutMs: 60_000,
      });
      await ingest.child.kill();
      // As after a kill between the commit of a chunk and the note about it, at its worst.
      rmSync(join(folder, 'folder-cursor.json'), { force: true });
      ingest = await IngestProcess.start({ folder });
    }
    await appears(ingest, 'done/large.csv');
    expect(existsSync(join(ingest.inputFolder, 'done/large.csv.problems.json'))).toBe(false);
    await ingest.child.stop();
    const values = (await ingest.journalRows()).map(({ reading }) => reading.values[0] as number);
    expect(values).toHaveLength(rows);
    expect(new Set(values).size).toBe(rows);
  });
});
