import type { BodyStep, Value } from './expression.ts';
import type { RoutableMessage } from './port.ts';

const stepPattern = /^([^()<>@,;:\\"/[\]?={}.\t\n\r]+)(?:\[(\d+)\])?$/;

/** `a.b[2].c` as steps; undefined when it is not of that form. */
export function bodySteps(path: string): BodyStep[] | undefined {
  const steps: BodyStep[] = [];
  for (const part of path.split('.')) {
    const found = stepPattern.exec(part);
    if (found?.[1] === undefined) return undefined;
    steps.push(
      found[2] === undefined ? { name: found[1] } : { name: found[1], index: Number(found[2]) },
    );
  }
  return steps;
}

/**
 * The value at a path of a JSON body. Undefined when there is none, when it is an object or array, and when the
 * message does not say that it is JSON in a known encoding.
 */
export function queryBody(message: RoutableMessage, steps: readonly BodyStep[]): Value {
  let value = parsedBody(message);
  for (const { name, index } of steps) {
    if (!isRecord(value) || !Object.hasOwn(value, name)) return undefined;
    value = value[name];
    if (index !== undefined) value = Array.isArray(value) ? value[index] : undefined;
  }
  return isScalar(value) ? value : undefined;
}

/** Several routes look at one message: its body is parsed once. */
const parsedBodies = new WeakMap<Buffer, unknown>();

function parsedBody(message: RoutableMessage): unknown {
  if (parsedBodies.has(message.body)) return parsedBodies.get(message.body);
  const value = parseBody(message);
  parsedBodies.set(message.body, value);
  return value;
}

function parseBody({ body, systemProperties }: RoutableMessage): unknown {
  const type = findProperty(systemProperties, 'contentType');
  const encoding = findProperty(systemProperties, 'contentEncoding');
  if (type?.toLowerCase() !== 'application/json' || encoding === undefined) return undefined;
  const text = decode(body, encoding.toLowerCase());
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text.replace(/^\uFEFF/, ''));
  } catch {
    return undefined;
  }
}

function decode(body: Buffer, encoding: string): string | undefined {
  switch (encoding) {
    case 'utf-8':
      return body.toString('utf8');
    case 'utf-16':
      return body.toString('utf16le');
    case 'utf-32':
      return decodeUtf32(body);
    default:
      return undefined;
  }
}

function decodeUtf32(body: Buffer): string | undefined {
  if (body.length % 4 !== 0) return undefined;
  const points: string[] = [];
  for (let at = 0; at < body.length; at += 4) {
    const point = body.readUInt32LE(at);
    if (point > 0x10ffff) return undefined;
    points.push(String.fromCodePoint(point));
  }
  return points.join('');
}

/** Looks a name up without regard to case; an exact match wins. */
export function findProperty(
  properties: Readonly<Record<string, string>>,
  name: string,
): string | undefined {
  if (Object.hasOwn(properties, name)) return properties[name];
  const lower = name.toLowerCase();
  for (const [key, value] of Object.entries(properties)) {
    if (key.toLowerCase() === lower) return value;
  }
  return undefined;
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const isScalar = (value: unknown): value is Value =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value);
