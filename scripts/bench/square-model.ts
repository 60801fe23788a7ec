import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { SIGNALS } from '@holdfast/pump-loop';

/**
 * Writes a bundle whose model sums the squares of a row's signals, for any number of them: the sweep needs models of
 * other widths than the trained one, and what they compute does not matter.
 * @param count signals `s0`, `s1`, ...; undefined: the signals of the pump loop
 */
export function writeSquareModel(folder: string, count: number | undefined): void {
  const signals: readonly string[] =
    count === undefined ? SIGNALS : Array.from({ length: count }, (_, signal) => `s${signal}`);
  const cases = [
    { name: 'zero', input: [signals.map(() => 0)], score: 0 },
    { name: 'ones', input: [signals.map(() => 1)], score: signals.length },
  ];
  const files: Record<string, string | Uint8Array> = {
    'model.onnx': squareModel(signals.length),
    'golden.json': JSON.stringify({ tolerance: 1e-4, cases }),
  };
  const digests: Record<string, string> = {};
  for (const [name, content] of Object.entries(files)) {
    writeFileSync(path.join(folder, name), content);
    digests[name] = `sha256:${createHash('sha256').update(content).digest('hex')}`;
  }
  const manifest = {
    v: 1,
    name: 'square',
    version: '1',
    inputs: {
      tensor: 'window',
      signals: signals.map((name) => ({ name, unit: '1' })),
      periodMs: 1_000,
      rows: 1,
      gapMsMax: 5_000,
    },
    outputs: { score: 'score' },
    levels: { warning: 1e12, alarm: 2e12 },
    opset: 17,
    files: digests,
  };
  writeFileSync(path.join(folder, 'model.json'), JSON.stringify(manifest));
}

const FLOAT = 1;
const INTS = 7;
const INT = 2;

/** An ONNX file of one operator; field numbers are those of onnx.proto. */
function squareModel(signals: number): Buffer {
  const attribute = (name: string, ...fields: Buffer[]): Buffer =>
    field(5, text(1, name), ...fields);
  const node = field(
    1,
    text(1, 'window'),
    text(2, 'score'),
    text(4, 'ReduceSumSquare'),
    attribute('axes', number(8, 1), number(8, 2), number(20, INTS)),
    attribute('keepdims', number(3, 0), number(20, INT)),
  );
  const batch = field(1, text(2, 'batch'));
  const size = (value: number): Buffer => field(1, number(1, value));
  const declared = (at: number, name: string, ...dimensions: Buffer[]): Buffer =>
    field(at, text(1, name), field(2, field(1, number(1, FLOAT), field(2, ...dimensions))));
  const graph = field(
    7,
    node,
    text(2, 'square'),
    declared(11, 'window', batch, size(1), size(signals)),
    declared(12, 'score', batch),
  );
  return Buffer.concat([number(1, 9), graph, field(8, text(1, ''), number(2, 17))]);
}

/** Protocol buffers: a number is a tag and a varint, all else a tag, a length and bytes. */
const number = (at: number, value: number): Buffer =>
  Buffer.concat([varint(at << 3), varint(value)]);

function field(at: number, ...parts: Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  return Buffer.concat([varint((at << 3) | 2), varint(body.length), body]);
}

const text = (at: number, value: string): Buffer => field(at, Buffer.from(value));

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128);
  return Buffer.from([...bytes, rest]);
}
