/** What a client means by publishing to a topic. */
export type PublishTopic =
  | { kind: 'message'; device: string; module?: string; properties: string }
  | { kind: 'twin-get'; rid: string }
  | { kind: 'twin-patch'; rid: string }
  | { kind: 'method-response'; status: number; rid: string }
  | { kind: 'unknown' };

const MESSAGE = /^devices\/([^/]+)(?:\/modules\/([^/]+))?\/messages\/events(?:\/([^/]*)\/?)?$/;
const TWIN_GET = /^\$iothub\/twin\/GET\/\?(.*)$/;
const TWIN_PATCH = /^\$iothub\/twin\/PATCH\/properties\/reported\/\?(.*)$/;
const METHOD_RESPONSE = /^\$iothub\/methods\/res\/(\d+)\/\?(.*)$/;

/** Reads a publish topic, with or without the slash that the SDK adds for outputs. */
export function parsePublishTopic(topic: string): PublishTopic {
  const message = MESSAGE.exec(topic);
  if (message !== null) {
    const [, device, module, properties] = message;
    const base = { kind: 'message', device: device!, properties: properties ?? '' } as const;
    return module === undefined ? base : { ...base, module };
  }
  const get = TWIN_GET.exec(topic);
  if (get !== null) return { kind: 'twin-get', rid: ridOf(get[1]!) };
  const patch = TWIN_PATCH.exec(topic);
  if (patch !== null) return { kind: 'twin-patch', rid: ridOf(patch[1]!) };
  const response = METHOD_RESPONSE.exec(topic);
  if (response !== null) {
    return { kind: 'method-response', status: Number(response[1]), rid: ridOf(response[2]!) };
  }
  return { kind: 'unknown' };
}

function ridOf(query: string): string {
  for (const part of query.split('&')) {
    if (part.startsWith('$rid=')) return part.slice(5);
  }
  return '';
}

/** Key on the wire to the hub's name of a system property, for messages that come in. */
const INBOUND: ReadonlyMap<string, string> = new Map([
  ['$.exp', 'absolute-expiry-time'],
  ['$.cid', 'cid'],
  ['$.mid', 'messageId'],
  ['$.to', 'to'],
  ['$.uid', 'userId'],
  ['ack', 'ack'],
  ['$.on', 'outputName'],
  ['$.ct', 'contentType'],
  ['$.ce', 'contentEncoding'],
  ['$.schema', 'messageSchema'],
  ['iothub-operation', 'iothub-operation'],
  ['$.ctime', 'creationTime'],
  ['$.ifid', 'interfaceId'],
  ['$.sub', 'subject'],
]);

/** The hub's name to the key on the wire, for messages that go out; in the order in which they are written. */
const OUTBOUND: readonly (readonly [name: string, key: string])[] = [
  ['absolute-expiry-time', '$.exp'],
  ['cid', '$.cid'],
  ['messageId', '$.mid'],
  ['to', '$.to'],
  ['userId', '$.uid'],
  ['ack', 'ack'],
  ['contentType', '$.ct'],
  ['contentEncoding', '$.ce'],
  ['messageSchema', '$.schema'],
  ['iothub-operation', 'iothub-operation'],
  ['creationTime', '$.ctime'],
  ['connectionDeviceId', '$.cdid'],
  ['connectionModuleId', '$.cmid'],
  ['subject', '$.sub'],
];

export interface MessageProperties {
  system: Record<string, string>;
  application: Record<string, string>;
}

/** Splits the property segment of a topic. A key without `=` has the value ''; bad escapes stay as they are. */
export function decodeProperties(segment: string): MessageProperties {
  const system: Record<string, string> = {};
  const application: Record<string, string> = {};
  if (segment === '') return { system, application };
  const text = segment.startsWith('?') ? segment.slice(1) : segment;
  for (const part of text.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const key = decode(at < 0 ? part : part.slice(0, at));
    const value = at < 0 ? '' : decode(part.slice(at + 1));
    const name = INBOUND.get(key);
    if (name !== undefined) system[name] = value;
    else application[key] = value;
  }
  return { system, application };
}

/** The property segment of a delivered message. */
export function encodeProperties(properties: MessageProperties): string {
  const parts: string[] = [];
  for (const [name, key] of OUTBOUND) {
    const value = properties.system[name];
    if (value !== undefined && value !== '') parts.push(pair(key, value));
  }
  for (const [key, value] of Object.entries(properties.application)) parts.push(pair(key, value));
  return parts.join('&');
}

const pair = (key: string, value: string): string =>
  `${encodeURIComponent(key)}=${encodeURIComponent(value)}`;

function decode(text: string): string {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export const inputTopic = (
  device: string,
  module: string,
  input: string,
  properties: MessageProperties,
): string => `devices/${device}/modules/${module}/inputs/${input}/${encodeProperties(properties)}`;
