import path from 'node:path';
import { ChildProcess, freePort, until } from '@holdfast/testkit';

/** The account that every Azurite has. */
export const ACCOUNT = 'devstoreaccount1';
export const KEY =
  'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface Azurite {
  port: number;
  stop(): Promise<void>;
}

/** Starts the blob service of Azurite; with a folder it keeps its blobs over a restart. */
export async function startAzurite(folder: string, port?: number): Promise<Azurite> {
  const at = port ?? (await freePort());
  const main = path.resolve('node_modules/azurite/dist/src/blob/main.js');
  const child = ChildProcess.start(main, {
    args: [
      '--skipApiVersionCheck',
      '--disableTelemetry',
      '--silent',
      '--blobHost',
      '127.0.0.1',
      '--blobPort',
      String(at),
      '--location',
      folder,
    ],
  });
  await until(async () => (await fetch(`http://127.0.0.1:${at}/`)).status > 0, {
    timeoutMs: 30_000,
    every: 50,
    what: () => `Azurite on port ${at}: ${child.output}`,
  });
  return {
    port: at,
    stop: async () => {
      await child.kill();
    },
  };
}

export const connectionString = (port: number, key = KEY): string =>
  `DefaultEndpointsProtocol=http;AccountName=${ACCOUNT};AccountKey=${key};BlobEndpoint=http://127.0.0.1:${port}/${ACCOUNT};`;
