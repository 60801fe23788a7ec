import { z } from 'zod';
import type { DecisionRules } from './domain/candidate.ts';

const share = () => z.number().gt(0).lt(1);

const Limits = z.strictObject({
  failedShare: share()
    .default(0.01)
    .describe(
      'Share of rows on which it may throw, and again as many that may get no finite score',
    ),
  unscoredShare: share()
    .default(0.05)
    .describe(
      'Share of rows that it may leave without a score although the active model gives one',
    ),
  disagreementShare: share()
    .default(0.05)
    .describe('Share of rows on which its level may differ from that of the active model'),
  missedShare: share()
    .default(0.5)
    .describe('Of the rows that the active model finds abnormal, the share it may find normal'),
  shift: z
    .number()
    .gt(0)
    .max(5)
    .default(0.3)
    .describe('How far apart the scores may lie, in distances from warning to alarm'),
  slowdown: z
    .number()
    .min(1)
    .max(100)
    .default(1.5)
    .describe('How many times the time of the active model a window may take'),
  qualityLoss: z
    .number()
    .min(0)
    .lt(1)
    .default(0.05)
    .describe('Share of labelled rows that it may get wrong more often than the active model'),
});

/** How candidates, canaries and shadows, are compared with the active model, and what follows. */
export const rolloutSetting = z
  .strictObject({
    rollBack: z
      .enum(['auto', 'off'])
      .default('auto')
      .describe('auto: a candidate shown to be worse is taken out of service'),
    promote: z
      .enum(['auto', 'manual'])
      .default('manual')
      .describe('auto: a canary shown to be good becomes active by itself'),
    rowsPerDecision: z
      .int()
      .min(1)
      .max(100_000)
      .default(100)
      .describe('Least compared rows between two decisions'),
    decisionEveryMs: z
      .int()
      .min(0)
      .max(86_400_000)
      .default(60_000)
      .describe(
        'Least time between two decisions in ms: long against what one machine does in one go',
      ),
    decisionsMin: z
      .int()
      .min(1)
      .max(1_000_000)
      .default(1_000)
      .describe('Decisions before a candidate can be shown to be good'),
    falseRollbacks: z
      .number()
      .min(1e-6)
      .max(0.5)
      .default(0.01)
      .describe('Probability that a candidate as good as the active model is ever rolled back'),
    limits: Limits.prefault({}).describe('What is tolerated of a candidate'),
    shadowWaitMs: z
      .int()
      .min(0)
      .max(1_000)
      .default(20)
      .describe('How long scores wait for a shadow, so that samples can tell its score; 0: never'),
    shadowBatchesMax: z
      .int()
      .min(1)
      .max(16)
      .default(2)
      .describe('Batches that a shadow works on at once; beyond, it leaves batches out, counted'),
  })
  .prefault({})
  .describe('Shadows and canaries: how they are compared with the active model, and what follows');

export type RolloutSetting = z.output<typeof rolloutSetting>;

/** The settings are the rules. */
export const rulesOf = (setting: RolloutSetting): DecisionRules => setting;
