import { createHmac } from 'node:crypto';
import { mkdirSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname } from 'node:path';
import { check, describeProblems } from '@holdfast/contracts';
import { z } from 'zod';
import { WorkloadError } from './errors.ts';

export interface WorkloadIdentity {
  /** Base64; the hub verifies the module's tokens with the same key. */
  key: string;
  generationId: string;
}

export interface ServerCertificate {
  privateKeyPem: string;
  /** The certificate itself first, then its authority. */
  certificatePem: string;
  notAfterMs: number;
}

export interface WorkloadOptions {
  /** A Unix socket (the path must be shorter than 100 bytes) or a port of 127.0.0.1; 0 takes a free one. */
  listen: { socketPath: string } | { port: number };
  trustBundlePem: string;
  /** By module id; looked up at each request, so entries may come and go. */
  identities: ReadonlyMap<string, WorkloadIdentity>;
  /** Issues a server certificate for these names, the common name first. */
  issueServerCertificate(module: string, names: readonly string[]): Promise<ServerCertificate>;
}

export interface WorkloadApi {
  /** Value of IOTEDGE_WORKLOADURI. */
  readonly uri: string;
  close(): Promise<void>;
}

/** Unix socket paths are cut off, or refused, near 107 bytes; the SDK says nothing useful then. */
const SOCKET_PATH_BYTES_MAX = 100;
const BODY_BYTES_MAX = 64 * 1_024;

/**
 * The part of the IoT Edge workload API that modules use: trust bundle, sign, server certificate, list of modules.
 * Differs from the daemon in one point: the caller is not identified by its process id, so a module that knows the
 * generation id of another one can sign as that one.
 */
export async function startWorkloadApi(options: WorkloadOptions): Promise<WorkloadApi> {
  const server = createServer((request, response) => void answer(request, response, options));
  const { listen } = options;
  if ('socketPath' in listen) {
    const bytes = Buffer.byteLength(listen.socketPath);
    if (bytes >= SOCKET_PATH_BYTES_MAX) {
      throw new WorkloadError(
        'WORKLOAD_BAD_REQUEST',
        `${listen.socketPath}: a socket path must be shorter than ${SOCKET_PATH_BYTES_MAX} bytes, this has ${bytes}`,
      );
    }
    mkdirSync(dirname(listen.socketPath), { recursive: true });
    rmSync(listen.socketPath, { force: true });
    await listening(server, { path: listen.socketPath });
    return { uri: `unix://${listen.socketPath}`, close: () => closed(server) };
  }
  await listening(server, { host: '127.0.0.1', port: listen.port });
  const { port } = server.address() as AddressInfo;
  return { uri: `http://127.0.0.1:${port}`, close: () => closed(server) };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: WorkloadOptions,
): Promise<void> {
  try {
    const body = await readJson(request);
    const { status, document } = await handle(request, body, options);
    send(response, status, document);
  } catch (error) {
    const status = (error as Partial<WorkloadError>).status ?? 500;
    send(response, status, { message: (error as Error).message });
  }
}

/** The SDK parses a body only if it says that it is JSON. */
function send(response: ServerResponse, status: number, document: object): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(document));
}

interface Answer {
  status: number;
  document: object;
}

async function handle(
  request: IncomingMessage,
  body: unknown,
  options: WorkloadOptions,
): Promise<Answer> {
  const url = new URL(request.url ?? '/', 'http://workload');
  if (!url.searchParams.has('api-version')) {
    throw new WorkloadError('WORKLOAD_BAD_REQUEST', 'api-version is missing');
  }
  const parts = url.pathname.slice(1).split('/').map(decodeURIComponent);
  const route = `${request.method} ${parts.map((part, i) => (i === 1 || i === 3 ? '*' : part)).join('/')}`;
  switch (route) {
    case 'GET trust-bundle':
      return { status: 200, document: { certificate: options.trustBundlePem } };
    case 'GET modules':
      return { status: 200, document: listModules(options) };
    case 'POST modules/*/genid/*/sign':
      return sign(identityOf(parts, options), body);
    case 'POST modules/*/genid/*/certificate/server':
      identityOf(parts, options);
      return serverCertificate(parts[1]!, body, options);
    default:
      throw new WorkloadError(
        'WORKLOAD_NOT_FOUND',
        `${request.method} ${url.pathname} is not part of this workload API`,
      );
  }
}

function identityOf(parts: readonly string[], options: WorkloadOptions): WorkloadIdentity {
  const [, module = '', , generationId] = parts;
  const identity = options.identities.get(module);
  if (identity === undefined) {
    throw new WorkloadError('WORKLOAD_NOT_FOUND', `module ${module} is not known`);
  }
  if (identity.generationId !== generationId) {
    throw new WorkloadError(
      'WORKLOAD_FORBIDDEN',
      `module ${module} has another generation id than ${generationId}`,
    );
  }
  return identity;
}

const SignRequest = z.object({
  keyId: z.string(),
  algo: z.literal('HMACSHA256'),
  data: z.base64(),
});

/** Signs with the key of the module, whatever key it asks for, as the daemon does. */
function sign(identity: WorkloadIdentity, body: unknown): Answer {
  const { data } = checked(SignRequest, body);
  const digest = createHmac('sha256', Buffer.from(identity.key, 'base64'))
    .update(Buffer.from(data, 'base64'))
    .digest('base64');
  return { status: 200, document: { digest } };
}

const CertificateRequest = z.object({
  commonName: z.string().min(1).max(64),
  expiration: z.string(),
});

async function serverCertificate(
  module: string,
  body: unknown,
  options: WorkloadOptions,
): Promise<Answer> {
  const { commonName } = checked(CertificateRequest, body);
  const names = [...new Set([commonName, module.toLowerCase(), 'localhost', '127.0.0.1'])];
  const issued = await options.issueServerCertificate(module, names);
  return {
    status: 201,
    document: {
      privateKey: { type: 'key', bytes: issued.privateKeyPem },
      certificate: issued.certificatePem,
      expiration: new Date(issued.notAfterMs).toISOString(),
    },
  };
}

function listModules(options: WorkloadOptions): object {
  const modules = [...options.identities.keys()].map((id) => ({
    id,
    name: id,
    type: 'process',
    config: { settings: {}, env: [] },
    status: { runtimeStatus: { status: 'unknown' } },
  }));
  return { modules };
}

function checked<S extends z.ZodType>(schema: S, body: unknown): z.output<S> {
  const result = check(schema, body);
  if (result.ok) return result.value;
  throw new WorkloadError('WORKLOAD_BAD_REQUEST', describeProblems(result.problems));
}

async function readJson(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > BODY_BYTES_MAX) {
      throw new WorkloadError('WORKLOAD_BAD_REQUEST', `a body may have ${BODY_BYTES_MAX} bytes`);
    }
    chunks.push(chunk);
  }
  if (size === 0) return undefined;
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch {
    throw new WorkloadError('WORKLOAD_BAD_REQUEST', 'the body is not JSON');
  }
}

function listening(server: Server, where: { path: string } | { host: string; port: number }) {
  return new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(where, () => {
      server.off('error', reject);
      resolve();
    });
  });
}

function closed(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
