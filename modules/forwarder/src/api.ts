import { check, describeProblems } from '@holdfast/contracts';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { z } from 'zod';
import { isDamage } from './adapters/damage.ts';
import type { InsightReader } from './adapters/insight-reader.ts';

/** A time as ms since 1970 or as ISO 8601. */
const Time = z
  .string()
  .transform((text) => (/^-?\d+$/.test(text) ? Number(text) : Date.parse(text)))
  .refine((ms) => Number.isSafeInteger(ms), {
    error: 'must be milliseconds since 1970 or a date such as 2026-11-23T12:00:00Z',
  });

const limit = (preset: number, max: number) =>
  z.coerce.number().int().min(1).max(max).default(preset);

const InsightsQuery = z.strictObject({
  kind: z.enum(['anomaly', 'rollup', 'gap']).default('rollup'),
  asset: z.string().optional(),
  since: Time.default(0),
  limit: limit(100, 1_000),
});
const AnomaliesQuery = z.strictObject({
  asset: z.string().optional(),
  since: Time.default(0),
  open: z.enum(['true', 'false']).optional(),
  limit: limit(100, 1_000),
});
const ScoresQuery = z.strictObject({
  asset: z.string(),
  from: Time.default(0),
  to: Time.default(Number.MAX_SAFE_INTEGER),
  limit: limit(1_000, 10_000),
});
const DeadQuery = z.strictObject({ limit: limit(100, 1_000) });

/** The site's own window on its insights. Nothing in it leaves the site by itself: whoever asks is at the site. */
export function addRoutes(
  http: FastifyInstance,
  sources: {
    reader: InsightReader;
    lanes(): Record<string, unknown>;
    /** Ends the process, when the database turns out to be damaged. */
    fatal(error: Error): never;
  },
): void {
  const { reader } = sources;
  const route = <S extends z.ZodType>(
    path: string,
    schema: S,
    answer: (query: z.output<S>) => Record<string, unknown>,
  ): void => {
    http.get(path, (request, reply) => {
      const query = check(schema, request.query);
      if (!query.ok) return refuse(reply, describeProblems(query.problems));
      try {
        return answer(query.value);
      } catch (error) {
        if (isDamage(error)) sources.fatal(error as Error);
        throw error;
      }
    });
  };
  route('/v1/insights', InsightsQuery, (query) => ({ insights: reader.insights(query) }));
  route('/v1/anomalies', AnomaliesQuery, ({ open, ...query }) => ({
    anomalies: reader.insights({ ...query, kind: 'anomaly', open: open === 'true' }),
  }));
  route('/v1/scores', ScoresQuery, (query) => ({
    asset: query.asset,
    scores: reader.scores(query),
  }));
  route('/v1/dead', DeadQuery, (query) => ({ dead: reader.dead(query.limit) }));
  route('/v1/lanes', z.strictObject({}), () => ({ lanes: sources.lanes() }));
}

const refuse = (reply: FastifyReply, problems: string): FastifyReply =>
  reply.code(400).send({ code: 'FWD_QUERY_INVALID', problems });
