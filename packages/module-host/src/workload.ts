import { request } from 'node:http';
import { ConfigurationError, WorkloadError } from './errors.ts';

const API_VERSION = '2018-06-28';
const REQUEST_TIMEOUT_MS = 10_000;

export interface ServerCertificate {
  /** PEM. */
  key: string;
  /** PEM, leaf first. */
  cert: string;
  expiresMs: number;
}

/** The variables by which IoT Edge tells a module where its workload API is and who it is. */
export interface WorkloadIdentity {
  uri: string;
  moduleId: string;
  generationId: string;
}

/** @throws ConfigurationError naming the variables that are missing */
export function workloadIdentity(environment: NodeJS.ProcessEnv): WorkloadIdentity {
  const names = ['IOTEDGE_WORKLOADURI', 'IOTEDGE_MODULEID', 'IOTEDGE_MODULEGENERATIONID'] as const;
  const missing = names.filter((name) => !environment[name]);
  if (missing.length > 0) {
    throw new ConfigurationError(
      missing.map((name) => `${name}: is missing, HOLDFAST_HTTP_TLS=workload needs it`),
    );
  }
  const [uri, moduleId, generationId] = names.map((name) => environment[name] as string);
  return { uri: uri as string, moduleId: moduleId as string, generationId: generationId as string };
}

/** Asks the IoT Edge daemon for a server certificate with the given name. */
export async function requestServerCertificate(
  identity: WorkloadIdentity,
  options: { commonName: string; expiresMs: number },
): Promise<ServerCertificate> {
  const path = `/modules/${encodeURIComponent(identity.moduleId)}/genid/${encodeURIComponent(identity.generationId)}/certificate/server?api-version=${API_VERSION}`;
  const reply = await post(identity.uri, path, {
    commonName: options.commonName,
    expiration: new Date(options.expiresMs).toISOString(),
  });
  const { privateKey, certificate, expiration } = reply as {
    privateKey?: { bytes?: unknown };
    certificate?: unknown;
    expiration?: unknown;
  };
  const expiresMs = Date.parse(String(expiration));
  if (
    typeof privateKey?.bytes !== 'string' ||
    typeof certificate !== 'string' ||
    Number.isNaN(expiresMs)
  ) {
    throw new WorkloadError('workload API answered without key, certificate or expiration');
  }
  return { key: privateKey.bytes, cert: certificate, expiresMs };
}

function post(uri: string, path: string, body: unknown): Promise<unknown> {
  const url = new URL(uri);
  const target =
    url.protocol === 'unix:'
      ? { socketPath: decodeURIComponent(url.pathname) }
      : { host: url.hostname, port: url.port === '' ? 80 : Number(url.port) };
  const text = JSON.stringify(body);
  return new Promise((resolve, reject) => {
    const fail = (what: string): void =>
      reject(new WorkloadError(`workload API at ${uri}: ${what}`));
    const outgoing = request({
      ...target,
      path,
      method: 'POST',
      headers: { 'content-type': 'application/json', 'content-length': Buffer.byteLength(text) },
      timeout: REQUEST_TIMEOUT_MS,
    });
    outgoing.on('timeout', () =>
      outgoing.destroy(new Error(`no answer in ${REQUEST_TIMEOUT_MS} ms`)),
    );
    outgoing.on('error', (error) => fail(error.message));
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', (error) => fail(error.message));
      response.on('end', () => {
        const answer = Buffer.concat(chunks).toString('utf8');
        const status = response.statusCode ?? 0;
        if (status >= 300) fail(`status ${status}: ${answer.slice(0, 200)}`);
        else {
          try {
            resolve(JSON.parse(answer));
          } catch {
            fail('answer is not JSON');
          }
        }
      });
    });
    outgoing.end(text);
  });
}
