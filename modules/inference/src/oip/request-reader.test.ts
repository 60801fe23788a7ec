import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, describe, expect, it } from '@jest/globals';
import { RequestReader } from './request-reader.ts';

const WORKER = pathToFileURL(join(process.cwd(), 'modules/inference/src/oip/request-worker.ts'));
let reader: RequestReader;
afterEach(() => reader.close());

/** A request of at least so many bytes. */
const textOf = (bytes: number, more = '') => {
  const count = Math.ceil(bytes / 4);
  const data = `[${Array(count).fill('0.5').join(',')}]`;
  const input = `{"name":"x","shape":[${count}],"datatype":"FP32","data":${data}}`;
  return Buffer.from(`{"inputs":[${input}]${more}}`);
};

describe('RequestReader', () => {
  it('parses short texts at once and long ones in its thread', async () => {
    reader = new RequestReader(WORKER);
    const short = reader.read(textOf(1_000));
    expect(short).toMatchObject({ inputs: [{ shape: [250] }] });
    const long = reader.read(textOf(300_000));
    expect(long).toBeInstanceOf(Promise);
    expect(await long).toMatchObject({ inputs: [{ name: 'x', shape: [75_000] }] });
  });

  it('refuses a text that needs too much memory, and nobody else is harmed', async () => {
    reader = new RequestReader(WORKER, 32);
    const many = `,"ignored":[${'[],{},'.repeat(1_000_000)}0]`;
    const results = await Promise.allSettled([
      reader.read(textOf(300_000, many)),
      reader.read(textOf(300_000)),
    ]);
    expect(results).toMatchObject([
      { status: 'rejected', reason: { status: 413 } },
      { status: 'rejected', reason: { status: 503, headers: { 'retry-after': '1' } } },
    ]);
    expect(await reader.read(textOf(300_000))).toMatchObject({ inputs: [{ name: 'x' }] });
  });

  it('is started anew after it was closed', async () => {
    reader = new RequestReader(WORKER);
    await reader.read(textOf(300_000));
    await reader.close();
    expect(await reader.read(textOf(300_000))).toMatchObject({ inputs: [{ name: 'x' }] });
  });
});
