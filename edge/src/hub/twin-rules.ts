/** A JSON object, as twins and patches are. */
export type Document = { [key: string]: unknown };

/** Levels of objects and arrays in a reported patch. */
const DEPTH_MAX = 10;
/** Bytes of UTF-8 in a property name. */
const NAME_BYTES_MAX = 1_024;
/** Bytes of UTF-8 in a text value. */
const STRING_BYTES_MAX = 4_096;
/** Bytes of JSON in one patch, and in a whole section as IoT Hub counts it. */
const SECTION_BYTES_MAX = 32 * 1_024;
const INTEGER_MIN = -(2 ** 52);
const INTEGER_MAX = 2 ** 52 - 1;

export const isDocument = (value: unknown): value is Document =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Applies a merge patch and returns a new document: objects merge, scalars and arrays replace, null deletes.
 */
export function mergePatch(target: Document, patch: Document): Document {
  const merged = new Map(Object.entries(target));
  for (const [key, value] of Object.entries(patch)) {
    const old = merged.get(key);
    if (value === null) merged.delete(key);
    else if (isDocument(value)) merged.set(key, mergePatch(isDocument(old) ? old : {}, value));
    else merged.set(key, value);
  }
  return Object.fromEntries(merged);
}

/** The smallest patch that makes `after` of `before`. */
export function diffPatch(before: Document, after: Document): Document {
  const patch = new Map<string, unknown>();
  for (const key of Object.keys(before)) if (!Object.hasOwn(after, key)) patch.set(key, null);
  for (const [key, value] of Object.entries(after)) {
    const old = Object.hasOwn(before, key) ? before[key] : undefined;
    if (isDocument(value) && isDocument(old)) {
      const inner = diffPatch(old, value);
      if (Object.keys(inner).length > 0) patch.set(key, inner);
    } else if (JSON.stringify(old) !== JSON.stringify(value)) patch.set(key, value);
  }
  return Object.fromEntries(patch);
}

/** Why edge hub does not take a patch of reported properties; undefined when it does. */
export function refuseReported(patch: unknown): string | undefined {
  if (!isDocument(patch)) return 'reported properties must be a JSON object';
  const size = Buffer.byteLength(JSON.stringify(patch));
  if (size > SECTION_BYTES_MAX) {
    return `the patch has ${size} bytes of JSON, allowed are ${SECTION_BYTES_MAX}`;
  }
  return refuseObject(patch, { path: '', depth: 1, inArray: false });
}

interface Place {
  path: string;
  depth: number;
  inArray: boolean;
}

function refuseObject(object: Document, place: Place): string | undefined {
  if (place.depth > DEPTH_MAX) return `${place.path}: deeper than ${DEPTH_MAX} levels`;
  for (const [name, value] of Object.entries(object)) {
    const path = place.path === '' ? name : `${place.path}.${name}`;
    const problem = refuseName(name, path) ?? refuseValue(value, { ...place, path });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function refuseName(name: string, path: string): string | undefined {
  if (name === '') return `${path}: a name must not be empty`;
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) {
    return `${path.slice(0, 80)}...: a name may have ${NAME_BYTES_MAX} bytes`;
  }
  if (/[.$#\s\p{Cc}]/u.test(name)) {
    return `${path}: a name must not contain . $ # white space or control characters`;
  }
  return undefined;
}

function refuseValue(value: unknown, place: Place): string | undefined {
  if (value === null)
    return place.inArray ? `${place.path}: null is not allowed in an array` : undefined;
  if (typeof value === 'string') {
    const bytes = Buffer.byteLength(value);
    return bytes > STRING_BYTES_MAX
      ? `${place.path}: the text has ${bytes} bytes, allowed are ${STRING_BYTES_MAX}`
      : undefined;
  }
  if (typeof value === 'number') {
    return Number.isInteger(value) && (value < INTEGER_MIN || value > INTEGER_MAX)
      ? `${place.path}: ${value} is not between ${INTEGER_MIN} and ${INTEGER_MAX}`
      : undefined;
  }
  if (Array.isArray(value)) return refuseArray(value, place);
  if (isDocument(value)) return refuseObject(value, { ...place, depth: place.depth + 1 });
  return undefined;
}

function refuseArray(items: readonly unknown[], place: Place): string | undefined {
  const depth = place.depth + 1;
  if (depth > DEPTH_MAX) return `${place.path}: deeper than ${DEPTH_MAX} levels`;
  for (const [index, item] of items.entries()) {
    const path = `${place.path}[${index}]`;
    const problem = refuseValue(item, { path, depth, inArray: true });
    if (problem !== undefined) return problem;
  }
  return undefined;
}

/** Why a section would outgrow IoT Hub's limit after a patch; undefined when it does not. */
export function refuseSize(section: Document): string | undefined {
  const size = sectionSize(section);
  return size > SECTION_BYTES_MAX
    ? `the section would have ${size} bytes, allowed are ${SECTION_BYTES_MAX}`
    : undefined;
}

/** IoT Hub's measure: bytes of names and texts, 8 for a number, 4 for a boolean. */
function sectionSize(value: unknown): number {
  if (typeof value === 'string') return Buffer.byteLength(value);
  if (typeof value === 'number') return 8;
  if (typeof value === 'boolean') return 4;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + sectionSize(item), 0);
  if (!isDocument(value)) return 0;
  return Object.entries(value).reduce(
    (sum, [key, item]) => sum + Buffer.byteLength(key) + sectionSize(item),
    0,
  );
}
