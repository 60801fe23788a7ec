/**
 * Rules of the edge hub for reported properties (`ReportedPropertiesValidator` of edgeHub 1.6). The SDK shows a
 * refused patch as success, so they are checked here, before anything is sent.
 */
const DEPTH_MAX = 10;
const NAME_BYTES_MAX = 1_024;
const STRING_BYTES_MAX = 4_096;
const INTEGER_MAX = 2 ** 52 - 1;
/** Of JSON, for one patch. */
export const REPORTED_BYTES_MAX = 32 * 1024;

type Document = Record<string, unknown>;

const isDocument = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Why the hub would refuse this patch, as a sentence with path and limit, or undefined. Size is not looked at. */
export function refuseReported(patch: Document): string | undefined {
  return refuseValue(patch, '', 0, false);
}

function refuseValue(
  value: unknown,
  path: string,
  depth: number,
  inArray: boolean,
): string | undefined {
  if (depth > DEPTH_MAX) return `${path} is nested deeper than ${DEPTH_MAX} levels`;
  if (value === null) return inArray ? `${path} is null inside an array` : undefined;
  if (Array.isArray(value)) {
    return firstProblem(value, (item, i) => refuseValue(item, `${path}[${i}]`, depth + 1, true));
  }
  if (isDocument(value)) {
    return firstProblem(Object.entries(value), ([name, item]) => {
      const itemPath = path === '' ? name : `${path}.${name}`;
      return refuseName(name, itemPath) ?? refuseValue(item, itemPath, depth + 1, inArray);
    });
  }
  return refuseScalar(value, path);
}

function refuseName(name: string, path: string): string | undefined {
  if (name === '') return `${path} has an empty name in it`;
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    return `${path.slice(0, 80)}... has a name of more than ${NAME_BYTES_MAX} bytes`;
  }
  if (/[.$#\s\u0000-\u001f\u007f-\u009f]/.test(name)) {
    return `${path} has . $ #, a space or a control character in a name`;
  }
  return undefined;
}

function refuseScalar(value: unknown, path: string): string | undefined {
  if (typeof value === 'string') {
    return Buffer.byteLength(value) > STRING_BYTES_MAX
      ? `${path} is a text of more than ${STRING_BYTES_MAX} bytes`
      : undefined;
  }
  if (typeof value === 'number') {
    if (!Number.isFinite(value)) return `${path} is ${value}, which JSON cannot hold`;
    // From 1e21 on JSON has an exponent, and the hub reads a fraction.
    if (Number.isInteger(value) && Math.abs(value) > INTEGER_MAX && Math.abs(value) < 1e21) {
      return `${path} is ${value}, beyond ±(2^52 - 1)`;
    }
    return undefined;
  }
  if (typeof value === 'boolean' || value === undefined) return undefined;
  return `${path} is a ${typeof value}, which JSON cannot hold`;
}

function firstProblem<T>(
  items: readonly T[],
  check: (item: T, index: number) => string | undefined,
): string | undefined {
  for (const [index, item] of items.entries()) {
    const problem = check(item, index);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Splits a patch along its properties into patches of at most `bytesMax` of JSON; merged in order they are the whole. */
export function chunkReported(patch: Document, bytesMax: number): Document[] {
  if (jsonBytes(patch) <= bytesMax) return [patch];
  const chunks: Document[] = [];
  let chunk: Document = {};
  let chunkBytes = 2;
  const close = (): void => {
    if (Object.keys(chunk).length > 0) chunks.push(chunk);
    chunk = {};
    chunkBytes = 2;
  };
  for (const [name, value] of Object.entries(patch)) {
    const bytes = jsonBytes(value) + jsonBytes(name) + 2;
    if (bytes + 2 > bytesMax) {
      if (!isDocument(value) || Object.keys(value).length === 0) {
        throw new RangeError(`${name} alone has ${bytes} bytes, more than ${bytesMax}`);
      }
      close();
      const around = jsonBytes({ [name]: {} });
      for (const part of chunkReported(value, bytesMax - around)) chunks.push({ [name]: part });
      continue;
    }
    if (chunkBytes + bytes > bytesMax) close();
    chunk[name] = value;
    chunkBytes += bytes;
  }
  close();
  return chunks;
}

const jsonBytes = (value: unknown): number => Buffer.byteLength(JSON.stringify(value) ?? '');

/** JSON merge patch: objects merge, scalars and arrays replace, null deletes. */
export function mergePatch(target: unknown, patch: Document): Document {
  const result: Document = isDocument(target) ? { ...target } : {};
  for (const [name, value] of Object.entries(patch)) {
    if (value === null) delete result[name];
    else if (isDocument(value)) result[name] = mergePatch(result[name], value);
    else if (value !== undefined) result[name] = structuredClone(value);
  }
  return result;
}
