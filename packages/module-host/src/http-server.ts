import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';
import type { RenewingCertificate } from './certificate-renewal.ts';

/** Time for requests under way before draining goes on without them. */
const REQUESTS_DRAIN_MS = 2_000;

export interface HttpParts {
  metrics: Registry;
  status(): Record<string, unknown>;
  /** Undefined when ready. */
  notReady(): string | undefined;
  tls?: { key: string; cert: string };
}

/** The module's HTTP server with health, readiness, metrics and status on it; not yet listening. */
export function createHttpServer(parts: HttpParts): FastifyInstance {
  const options = { logger: false, forceCloseConnections: 'idle', routerOptions: {} } as const;
  const server =
    parts.tls === undefined
      ? fastify(options)
      : (fastify({ ...options, https: parts.tls }) as unknown as FastifyInstance);
  server.get('/healthz', () => ({ status: 'alive' }));
  server.get('/readyz', (_request, reply) => {
    const reason = parts.notReady();
    if (reason === undefined) return reply.send({ status: 'ready' });
    return reply.code(503).send({ status: 'not ready', reason });
  });
  server.get('/metrics', async (_request, reply) => {
    reply.type(parts.metrics.contentType);
    return parts.metrics.metrics();
  });
  server.get('/status', () => parts.status());
  return server;
}

/** Begins to listen; gives the base URL, with the port that the system chose where 0 was asked for. */
export async function listen(
  http: FastifyInstance,
  env: { HOLDFAST_HTTP_HOST: string; HOLDFAST_HTTP_PORT: number },
  tls: boolean,
): Promise<string> {
  await http.listen({ host: env.HOLDFAST_HTTP_HOST, port: env.HOLDFAST_HTTP_PORT });
  const address = http.server.address();
  const port =
    address !== null && typeof address === 'object' ? address.port : env.HOLDFAST_HTTP_PORT;
  const host = env.HOLDFAST_HTTP_HOST.includes(':')
    ? `[${env.HOLDFAST_HTTP_HOST}]`
    : env.HOLDFAST_HTTP_HOST;
  return `${tls ? 'https' : 'http'}://${host}:${port}`;
}

/** Takes each new certificate for connections from then on; returns a function that ends it. */
export function renewCertificate(
  http: FastifyInstance,
  certificate: RenewingCertificate,
): () => void {
  const server = http.server as unknown as import('node:https').Server;
  return certificate.renew(({ key, cert }) => server.setSecureContext({ key, cert }));
}

/** Finishes requests under way, for at most two seconds. */
export async function closeHttp(http: FastifyInstance): Promise<void> {
  const timer = setTimeout(() => http.server.closeAllConnections(), REQUESTS_DRAIN_MS);
  await http.close();
  clearTimeout(timer);
}
