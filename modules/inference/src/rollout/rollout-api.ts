import { check, describeProblems, Name, TimeMs } from '@holdfast/contracts';
import { BearerAuth, type Clock } from '@holdfast/module-host';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Rollout } from './rollout.ts';

/** Bytes of one request with labels: about two thousand. */
const LABELS_BYTES_MAX = 256 * 1024;

const DecisionsQuery = z.strictObject({
  limit: z.coerce.number().int().min(1).max(1_000).default(100),
});

const LabelEntry = z
  .strictObject({
    asset: Name,
    /** Reading times in ms since 1970, both included; without `toT` one reading. */
    fromT: TimeMs,
    toT: TimeMs.optional(),
    label: z.enum(['normal', 'abnormal']),
  })
  .refine(({ fromT, toT }) => toT === undefined || toT >= fromT, {
    path: ['toT'],
    error: 'must not be before fromT',
  });
const LabelsBody = z.strictObject({ labels: z.array(LabelEntry).min(1).max(1_000) });

/** `GET /v1/decisions` and `POST /v1/labels`, with the token of the module's API if there is one. */
export async function addRolloutRoutes(
  http: FastifyInstance,
  parts: { rollout: Rollout; token: string | undefined; clock: Clock },
): Promise<void> {
  const { rollout, token, clock } = parts;
  const auth = token === undefined ? undefined : new BearerAuth(token, () => clock.monotonicMs());
  await http.register(async (scope) => {
    scope.addHook('onRequest', async (request: FastifyRequest, reply: FastifyReply) => {
      const refusal = auth?.refusal(request);
      if (refusal === undefined) return;
      await reply.code(refusal.status).headers(refusal.headers).send({ error: refusal.detail });
    });
    scope.setErrorHandler((error: Error & { statusCode?: number }, _, reply) =>
      reply.code(error.statusCode ?? 500).send({ error: error.message }),
    );
    scope.get('/v1/decisions', (request, reply) => {
      const query = check(DecisionsQuery, request.query);
      if (!query.ok) return reply.code(400).send({ error: describeProblems(query.problems) });
      return reply.send({ decisions: rollout.decisions(query.value.limit) });
    });
    scope.post('/v1/labels', { bodyLimit: LABELS_BYTES_MAX }, (request, reply) => {
      const body = check(LabelsBody, request.body);
      if (!body.ok) return reply.code(400).send({ error: describeProblems(body.problems) });
      const { labels } = body.value;
      const rows = labels.map(({ toT, ...label }) =>
        rollout.label({ ...label, toT: toT ?? label.fromT }),
      );
      return reply.send({ labels: labels.length, rows: rows.reduce((sum, one) => sum + one, 0) });
    });
  });
}
