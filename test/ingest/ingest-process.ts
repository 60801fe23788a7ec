import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import type { JournalReading } from '@holdfast/journal';
import { Journal } from '@holdfast/journal';
import { ChildProcess, freePort, temporaryFolder, until } from '@holdfast/testkit';

export const TOKEN = 'a-token-for-tests-only';

const MAIN = join(process.cwd(), 'modules/ingest/src/main.ts');

export interface Answer {
  status: number;
  headers: Record<string, string | string[] | undefined>;
  body: Record<string, unknown>;
}

export interface Post {
  body: string | Buffer;
  type?: string;
  headers?: Record<string, string>;
  query?: string;
  /** Undefined: the right one; null: none. */
  token?: string | null;
}

/** ingest as a process of its own, without a hub. */
export class IngestProcess {
  readonly folder: string;
  readonly port: number;
  readonly inputFolder: string;
  child: ChildProcess;

  private constructor(folder: string, port: number, child: ChildProcess) {
    this.folder = folder;
    this.port = port;
    this.inputFolder = inputOf(folder);
    this.child = child;
  }

  static async start(
    options: { folder?: string; env?: Record<string, string> } = {},
  ): Promise<IngestProcess> {
    const folder = options.folder ?? temporaryFolder('ingest');
    const port = await freePort();
    const child = ChildProcess.start(MAIN, {
      env: { ...environmentOf(folder, port), ...options.env },
    });
    await child.line('Module started');
    return new IngestProcess(folder, port, child);
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  /** Posts readings. Uses no connection twice, so that a killed process cannot confuse the next one. */
  post({ body, type = 'application/json', headers = {}, query = '', token = TOKEN }: Post) {
    const authorization = token === null ? {} : { authorization: `Bearer ${token}` };
    return this.request('POST', `/v1/readings${query}`, {
      headers: { 'content-type': type, ...authorization, ...headers },
      body,
    });
  }

  get(path: string, token: string | null = TOKEN): Promise<Answer> {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    return this.request('GET', path, { headers });
  }

  request(
    method: string,
    path: string,
    options: { headers: Record<string, string>; body?: string | Buffer },
  ): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const { headers, body } = options;
      const request = httpRequest(
        { host: '127.0.0.1', port: this.port, method, path, headers, agent: false },
        (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('error', reject);
          response.on('end', () => {
            const text = Buffer.concat(chunks).toString('utf8');
            resolve({
              status: response.statusCode ?? 0,
              headers: response.headers,
              body: text.startsWith('{') ? (JSON.parse(text) as Record<string, unknown>) : { text },
            });
          });
        },
      );
      request.on('error', reject);
      request.end(body);
    });
  }

  async status(): Promise<Record<string, unknown>> {
    return (await this.get('/status')).body;
  }

  /** Every reading in the journal, once the process is gone. */
  async journalRows(): Promise<{ stream: string; seq: number; reading: JournalReading }[]> {
    await until(() => this.child.exit !== undefined, { what: 'the end of ingest' });
    return readJournal(this.folder);
  }
}

const inputOf = (folder: string): string => join(folder, 'input');

export const environmentOf = (folder: string, port: number): Record<string, string> => ({
  HOLDFAST_TRANSPORT: 'none',
  HOLDFAST_DATA_DIR: folder,
  HOLDFAST_HTTP_PORT: String(port),
  HOLDFAST_HTTP_TOKEN: TOKEN,
  HOLDFAST_INPUT_DIR: inputOf(folder),
});

function readJournal(folder: string) {
  const journal = Journal.open({
    path: join(folder, 'journal.db'),
    partitions: 4,
    streamPrefix: 'ingest',
    newEpoch: () => 'opened-by-the-test',
    wallMs: () => 0,
  });
  const rows: { stream: string; seq: number; reading: JournalReading }[] = [];
  for (const { partition, stream, receipted } of journal.streams) {
    let after = receipted;
    for (;;) {
      const batch = journal.readBatch(partition, { after, bytesMax: 200_000, lookback: 0 });
      if (batch === undefined) break;
      for (const { asset, signals, seq, t, values } of batch.assets) {
        seq.forEach((number, row) => {
          const reading = {
            asset,
            signals,
            t: t[row] as number,
            values: values.map((column) => column[row] as number | null),
          };
          rows.push({ stream, seq: number, reading });
        });
      }
      after = batch.last;
    }
  }
  journal.close();
  return rows;
}

/** A good reading as JSON; `value` identifies it. */
export const aPost = (value = 1, asset = 'pump-1'): string =>
  JSON.stringify({ asset, t: Date.now(), values: { value } });
