import { NAME_LENGTH_MAX, Name } from '@holdfast/contracts';
import { faultOf } from './fault.ts';
import type { Intake, RowPlace } from './intake.ts';
import { type ReadOptions, readJson } from './read-json.ts';

type Fields = Record<string, unknown>;

/**
 * Reads what comes over the hub: OPC UA PubSub JSON network messages as OPC Publisher sends them, its plain
 * samples, and the forms that HTTP takes; one or an array, mixed if need be.
 */
export function readHubDocument(document: unknown, intake: Intake, options: ReadOptions): void {
  if (!Array.isArray(document)) {
    readHubItem(document, -1, intake, options);
    return;
  }
  if (!document.some(isOpc)) {
    readJson(document, intake, options);
    return;
  }
  for (let index = 0; index < document.length; index += 1) {
    readHubItem(document[index], index, intake, options);
  }
}

function readHubItem(item: unknown, index: number, intake: Intake, options: ReadOptions): void {
  if (!isObject(item) || !isOpc(item)) {
    readJson(item, intake, options);
    return;
  }
  const path = index < 0 ? '' : `[${index}]`;
  if (isNetworkMessage(item)) {
    readNetworkMessage(item, path, intake, options);
    return;
  }
  readSample(item, path, intake, options);
}

const isNetworkMessage = (item: Fields): boolean =>
  'Messages' in item || typeof item.MessageType === 'string';
const isSample = (item: Fields): boolean => 'NodeId' in item && 'Value' in item;
const isOpc = (item: unknown): boolean =>
  isObject(item) && (isNetworkMessage(item) || isSample(item));

function readNetworkMessage(
  item: Fields,
  path: string,
  intake: Intake,
  options: ReadOptions,
): void {
  // Metadata describes data sets and holds no values, so it is no row either.
  if (item.MessageType === 'ua-metadata') return;
  const found = item.Messages;
  const messages = Array.isArray(found) ? found : [found];
  const base = join(path, 'Messages');
  for (const [index, message] of messages.entries()) {
    const at = Array.isArray(found) ? `${base}[${index}]` : base;
    readDataSetMessage(message, at, intake, options);
  }
}

/** One data set message is one row: its payload is what the writer knew at its time. */
function readDataSetMessage(
  message: unknown,
  path: string,
  intake: Intake,
  options: ReadOptions,
): void {
  if (!isObject(message)) {
    intake.refuse(intake.rows, faultOf('shape', path, message, 'must be an object'));
    return;
  }
  const payload = message.Payload;
  if (!isObject(payload)) {
    const allowed = 'must be an object of node: value';
    intake.refuse(intake.rows, faultOf('shape', join(path, 'Payload'), payload, allowed));
    return;
  }
  const nodes = Object.keys(payload);
  const values = nodes.map((node) => nodeValue(payload[node]));
  const sourceTimes = nodes.map((node) => sourceTimeOf(payload[node])).filter(isText);
  const set = intake.checker.signals(nodes.map(nameOf));
  const asset = message.DataSetWriterName ?? message.DataSetWriterId ?? options.asset;
  const t = message.Timestamp ?? sourceTimes.sort().at(-1);
  intake.add(new OpcPlace(intake.rows, path, nodes), assetName(asset), t, set, values);
}

/** A plain sample: one node, one value. */
function readSample(item: Fields, path: string, intake: Intake, options: ReadOptions): void {
  const node = item.DisplayName ?? item.NodeId;
  const signal = typeof node === 'string' ? nameOf(node) : '';
  const asset = item.DataSetWriterName ?? item.ApplicationUri ?? options.asset;
  const value = item.Value;
  const bad = isObject(value) ? value : { Value: value, StatusCode: item.StatusCode };
  const t = sourceTimeOf(value) ?? item.SourceTimestamp ?? item.Timestamp;
  const set = intake.checker.signals([signal]);
  intake.add(new OpcPlace(intake.rows, path, ['']), assetName(asset), t, set, [nodeValue(bad)]);
}

/**
 * The value of a node: `{Value, StatusCode, ...}` or bare. A value with a bad status is missing; booleans, which
 * OPC UA plants use for switches, are 0 and 1.
 */
function nodeValue(node: unknown): unknown {
  let value = node;
  if (isObject(node)) {
    if (isBad(node.StatusCode)) return null;
    value = node.Value;
  }
  if (value === undefined) return null;
  return typeof value === 'boolean' ? Number(value) : value;
}

/** OPC UA Part 4, 7.39: the two top bits of a status code are its severity, 2 and 3 are bad. */
function isBad(status: unknown): boolean {
  if (typeof status === 'number') return status >>> 31 === 1;
  if (typeof status === 'string') return status.startsWith('Bad');
  if (!isObject(status)) return false;
  return isBad(status.Code) || isBad(status.Symbol);
}

const sourceTimeOf = (node: unknown): unknown =>
  isObject(node) ? node.SourceTimestamp : undefined;
const isText = (value: unknown): value is string => typeof value === 'string';

const assetName = (asset: unknown): unknown => {
  if (typeof asset === 'string') return nameOf(asset);
  return typeof asset === 'number' ? String(asset) : asset;
};

/** A node id as a name: `ns=2;s=Pump/Flow` becomes `Pump_Flow`; what is a name already stays as it is. */
export function nameOf(node: string): string {
  if (Name.safeParse(node).success) return node;
  const identifier = /(?:^|[;#])[sigb]=(.+)$/s.exec(node)?.[1] ?? node;
  const name = identifier
    .replace(/[^\p{L}\p{N}_ .:()%\u00b0+-]/gu, '_')
    .replace(/^[^\p{L}\p{N}_]+|[ .:(]+$/gu, '');
  return name.slice(-NAME_LENGTH_MAX);
}

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const join = (path: string, part: string): string => (path === '' ? part : `${path}.${part}`);

class OpcPlace implements RowPlace {
  readonly at: number;
  readonly #path: string;
  readonly #nodes: readonly string[];
  constructor(at: number, path: string, nodes: readonly string[]) {
    this.at = at;
    this.#path = path;
    this.#nodes = nodes;
  }
  pathOf(part: 'asset' | 't'): string {
    return join(this.#path, part === 't' ? 'Timestamp' : 'DataSetWriterName');
  }
  pathOfSignal(index: number): string {
    const node = (this.#nodes[index] ?? '').slice(0, 80);
    if (node === '') return join(this.#path, index < 0 ? 'Payload' : 'Value');
    return join(this.#path, `Payload.${node}`);
  }
}
