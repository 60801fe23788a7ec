import fastify, { type FastifyInstance } from 'fastify';
import type { Registry } from 'prom-client';

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
