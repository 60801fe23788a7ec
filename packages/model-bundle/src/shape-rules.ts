import {
  type BundleManifest,
  type BundleOutputs,
  LOOKBACK_ROWS_MAX,
  lookbackOf,
  MESSAGE_BYTES_MAX,
  type Problem,
  showValue,
} from '@holdfast/contracts';

/** A time and its comma in a message: 13 digits. */
const TIME_BYTES = 14;
/** A value of six significant digits with sign or point, and its comma. */
const VALUE_BYTES = 8;
/** What a message needs beside lookback: its frame, names, and the first row. */
const FRAME_BYTES = 2_048;

/** What fields of a manifest must be to each other, beyond their schema. */
export function shapeProblems(manifest: BundleManifest): Problem[] {
  const { inputs } = manifest;
  return [
    ...(inputs.image === undefined ? windowProblems(manifest) : imageProblems(inputs.image)),
    ...outputProblems(manifest),
  ];
}

function windowProblems(manifest: BundleManifest): Problem[] {
  const { signals, fill, fillMsMax, resample, periodMs, gapMsMax } = manifest.inputs;
  const problems: Problem[] = [];
  for (const [index, { scale }] of signals.entries()) {
    if (scale !== 0) continue;
    problems.push({ path: `inputs.signals[${index}].scale`, value: '0', allowed: 'must not be 0' });
  }
  if (fillMsMax !== undefined && fill === 'none') {
    const allowed = 'must be left out with fill "none"';
    problems.push({ path: 'inputs.fillMsMax', value: String(fillMsMax), allowed });
  }
  if (resample !== undefined) {
    const sourceMs = resample.sourcePeriodMs ?? periodMs;
    if (sourceMs > gapMsMax) {
      const allowed = `must be at most inputs.gapMsMax, ${gapMsMax}, or every distance of two rows is a hole`;
      problems.push({ path: 'inputs.resample.sourcePeriodMs', value: String(sourceMs), allowed });
    }
    if (fill === 'linear' || (fill === 'hold' && resample.method !== 'mean')) {
      const allowed = `must be ${resample.method === 'mean' ? '"none" or "hold"' : '"none"'} with resample.method "${resample.method}"`;
      problems.push({ path: 'inputs.fill', value: showValue(fill), allowed });
    }
  }
  return [...problems, ...lookbackProblems(manifest)];
}

/** A window that never comes together is refused here: at the site its rows would stay `window-filling` for ever. */
function lookbackProblems(manifest: BundleManifest): Problem[] {
  const { signals, rows, periodMs, resample } = manifest.inputs;
  const lookback = lookbackOf(manifest);
  const path = 'inputs.rows';
  const value = String(rows);
  if (lookback > LOOKBACK_ROWS_MAX) {
    const why =
      resample === undefined
        ? ''
        : ` at ${periodMs} ms out of rows ${resample.sourcePeriodMs ?? periodMs} ms apart`;
    const allowed = `needs ${lookback} rows of lookback${why}, must need at most ${LOOKBACK_ROWS_MAX}`;
    return [{ path, value, allowed }];
  }
  const rowBytes = TIME_BYTES + VALUE_BYTES * signals.length;
  if (lookback * rowBytes + FRAME_BYTES <= MESSAGE_BYTES_MAX) return [];
  const most = Math.floor((MESSAGE_BYTES_MAX - FRAME_BYTES) / rowBytes);
  const allowed =
    `needs ${lookback} rows of lookback with about ${rowBytes} bytes each for ${signals.length} signals, ` +
    `together ${lookback * rowBytes} bytes; a message of ${MESSAGE_BYTES_MAX} bytes holds ${most} such rows beside its first, so no window would ever be full`;
  return [{ path, value, allowed }];
}

function imageProblems(image: NonNullable<BundleManifest['inputs']['image']>): Problem[] {
  const problems: Problem[] = [];
  const channels = image.colour === 'grey' ? 1 : 3;
  for (const field of ['scale', 'mean', 'std'] as const) {
    const given = image[field];
    const path = `inputs.${field}`;
    const value = showValue(given);
    if (Array.isArray(given) && given.length !== channels) {
      problems.push({ path, value, allowed: `must have ${channels} items, one a channel` });
    }
    if (field !== 'mean' && [given].flat().includes(0)) {
      problems.push({ path, value, allowed: 'must not be 0' });
    }
    const plain = [given].flat().every((number) => number === (field === 'mean' ? 0 : 1));
    if (image.datatype === 'UINT8' && !plain) {
      problems.push({ path, value, allowed: 'must be left out with datatype "UINT8"' });
    }
  }
  return problems;
}

function outputProblems({ inputs, outputs }: BundleManifest): Problem[] {
  const isImage = inputs.image !== undefined;
  const unfit = outputs.kind === (isImage ? 'reconstruction' : 'detection');
  if (unfit) {
    const allowed = isImage
      ? 'must be "class", "detection" or "score" for an image model'
      : 'must be "score", "class" or "reconstruction" for a model of windows';
    return [{ path: 'outputs.kind', value: showValue(outputs.kind), allowed }];
  }
  switch (outputs.kind) {
    case 'class':
      return [...labelProblems(outputs.labels), ...classProblems(outputs, isImage)];
    case 'detection':
      return labelProblems(outputs.labels);
    case 'reconstruction': {
      const { spread } = outputs;
      if (spread === undefined || spread.length === inputs.signals.length) return [];
      const allowed = `must have ${inputs.signals.length} items, one a signal`;
      return [{ path: 'outputs.spread', value: showValue(spread), allowed }];
    }
    default:
      if (!isImage || outputs.contributions === undefined) return [];
      return [{ path: 'outputs.contributions', allowed: 'must be left out for an image model' }];
  }
}

const labelProblems = (labels: readonly string[]): Problem[] =>
  new Set(labels).size === labels.length
    ? []
    : [{ path: 'outputs.labels', value: showValue(labels), allowed: 'must be unique' }];

function classProblems(
  { labels, normal, abnormal }: Extract<BundleOutputs, { kind: 'class' }>,
  isImage: boolean,
): Problem[] {
  const given = [normal, abnormal].filter((list) => list !== undefined);
  if (given.length > 1 || (given.length === 0 && !isImage)) {
    const allowed = 'must be given, or outputs.abnormal, but not both: they make the score';
    return [{ path: 'outputs.normal', ...(normal && { value: showValue(normal) }), allowed }];
  }
  const unknown = given[0]?.find((label) => !labels.includes(label));
  if (unknown === undefined) return [];
  const path = normal === undefined ? 'outputs.abnormal' : 'outputs.normal';
  return [{ path, value: showValue(unknown), allowed: 'must be one of outputs.labels' }];
}
