import { createHash } from 'node:crypto';
import type { InsightKind } from '@holdfast/contracts';
import type { RoomSettings } from '@holdfast/module-host';
import type { ApplyRules } from './apply.ts';
import type { Settings } from './config.ts';
import type { UploadRules } from './upload.ts';

export const roomSettings = ({ outbox }: Settings): RoomSettings => ({
  capBytes: outbox.bytesMax,
  freeBytesMin: outbox.freeBytesMin,
});

/**
 * Kinds kept for upload while no twin has ever come, so that a module which hears scores before its first settings
 * does not deny what they allow. Not scores and samples: they would fill the disk of a site that never gets any settings.
 */
const KEPT_UNTIL_KNOWN: readonly InsightKind[] = ['anomaly', 'rollup', 'gap', 'drift'];

/** @param known whether the settings came from a twin, now or before */
export function applyRules(settings: Settings, known: boolean): ApplyRules {
  const { anomaly } = settings;
  return {
    detector: {
      openAfterAlarms: anomaly.openAfterAlarms,
      openAfterWarnings: anomaly.openAfterWarnings,
      openWithinMs: anomaly.openWithinSecs * 1000,
      closeAfter: anomaly.closeAfter,
      gapMs: anomaly.gapSecs * 1000,
    },
    kept: new Set<InsightKind>(known ? settings.egress.allow : KEPT_UNTIL_KNOWN),
    outboxBytesMax: settings.outbox.bytesMax,
    retention: settings.insights,
  };
}

/** @param known as for `applyRules` */
export function uploadRules(settings: Settings, known: boolean): UploadRules {
  const { upload, egress } = settings;
  const policy = JSON.stringify({ allow: [...new Set(egress.allow)].sort() });
  return {
    recordsMax: upload.recordsMax,
    bytesMax: upload.bytesMax,
    intervalMs: upload.intervalSecs * 1000,
    allowed: known ? new Set<InsightKind>(egress.allow) : undefined,
    policyHash: createHash('sha256').update(policy).digest('hex'),
  };
}
