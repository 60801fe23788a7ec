import { isSourceError, parseRef } from '@holdfast/model-bundle';
import { z } from 'zod';

/** Slots in one twin: each is a model in memory, and has its place in the reported properties. */
export const SLOTS_MAX = 16;

/** Slot of the folder of HOLDFAST_MODEL_DIR while the twin names no models. */
export const MOUNTED = 'mounted';

/** Share of a canary that has none in the twin. */
const CANARY_SHARE = 0.1;

const SlotName = z
  .string()
  .max(32)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, {
    error: 'must be letters, digits, _ and -, at most 32, beginning with a letter or digit',
  })
  .refine((name) => name !== MOUNTED, {
    error: `must not be "${MOUNTED}", which is the folder of HOLDFAST_MODEL_DIR`,
  });

const Slot = z.strictObject({
  ref: z
    .string()
    .min(1)
    .max(1_024)
    .describe('Where the bundle comes from, for example `/media/usb/pump-loop`'),
  digest: z
    .string()
    .regex(/^sha256:[0-9a-f]{64}$/, { error: 'must be sha256: and 64 hexadecimal digits' })
    .optional()
    .describe('Of the bundle, as `npm run model -- inspect` prints it'),
  role: z.enum(['active', 'canary', 'shadow', 'serve']).default('active'),
  share: z.number().gt(0).max(1).optional(),
});

/** What the twin says about one slot. */
export type SlotSetting = z.output<typeof Slot>;

/**
 * The models that the twin names, by slot. What cannot be meant is refused with its path: a share without a canary,
 * a download that nothing identifies, a candidate with nothing to compare it with.
 */
export const modelsSetting = z
  .record(SlotName, Slot)
  .superRefine((slots, context) => {
    const refuse = (path: string[], message: string, input?: unknown): void => {
      context.addIssue({ code: 'custom', path, message, input });
    };
    const entries = Object.entries(slots);
    if (entries.length > SLOTS_MAX) {
      refuse([], `must have at most ${SLOTS_MAX} slots`);
    }
    const compares = entries.some(([, { role }]) => role === 'active');
    for (const [name, { ref, digest, role, share }] of entries) {
      if (share !== undefined && role !== 'canary') {
        refuse([name, 'share'], 'must be left out unless the role is "canary"', share);
      }
      const local = /^(file:)?\//.test(ref);
      if (digest === undefined && !local) {
        refuse([name, 'digest'], 'is missing, must be sha256:<hex> unless the ref is a folder');
      }
      const problem = refProblem(ref, local);
      if (problem !== undefined) refuse([name, 'ref'], problem);
      if ((role === 'canary' || role === 'shadow') && !compares) {
        refuse([name, 'role'], 'must be "active" or "serve" while no slot is active', role);
      }
    }
  })
  .default({})
  .describe(
    'Models by slot: `{ref, digest, role, share}`, see "Life of a model"; empty: the folder of HOLDFAST_MODEL_DIR alone',
  );

/** Says which ref is meant by itself, without what may be secret in it. */
function refProblem(ref: string, local: boolean): string | undefined {
  try {
    const { kind } = parseRef(ref);
    return kind === 'folder' && !local ? `"${ref}" must be an absolute path` : undefined;
  } catch (error) {
    if (!isSourceError(error)) throw error;
    return error.message.replace(`${error.code}: `, '');
  }
}

/** Share of the assets that go to a canary; 0 for every other role. */
export const shareOf = ({ role, share }: SlotSetting): number =>
  role === 'canary' ? (share ?? CANARY_SHARE) : 0;
