import type { FileHandle } from 'node:fs/promises';
import { BundleError } from '../errors.ts';
import type { ModelLimits } from './limits.ts';
import { type Amount, Message, pathOf } from './message.ts';
import type { Field, Shape } from './shapes.ts';
import { WireError, WireReader } from './wire-reader.ts';

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
const FIXED_32 = 5;

/** Tag and length of a field, two varints. */
const HEAD_BYTES = 20;
/** A name, or a packed list of dimensions; real ones have some hundred bytes. Must fit the window of the reader. */
const TEXT_BYTES_MAX = 4_096;
/** Messages inside of messages. Protobuf itself stops at 100. */
const STACK_MAX = 96;

/**
 * Walks through a protobuf message in a file from front to back, with a list of open messages instead of recursion, and
 * hands over each message of a listed shape when it is complete, inner ones first. Weights are skipped unread; memory
 * does not grow with the file.
 * @param close gets the message and those that it is inside of, the outermost first
 * @throws BundleError BUNDLE_GARBLED, BUNDLE_LIMIT, and whatever `close` throws
 */
export async function walk(
  file: FileHandle,
  root: Shape,
  limits: ModelLimits,
  close: (message: Message, within: readonly Message[]) => void,
): Promise<void> {
  const walker = new Walker(await WireReader.open(file), root, limits, close);
  try {
    while (!walker.done) {
      if (walker.step()) await walker.reader.fill();
    }
  } catch (cause) {
    if (!(cause instanceof WireError)) throw cause;
    const where = pathOf(walker.stack) || 'the file';
    const message = `model.onnx: ${where} ${cause.message}, at byte ${walker.reader.position} of ${walker.reader.size}`;
    throw new BundleError('BUNDLE_GARBLED', message, { file: 'model.onnx', cause });
  }
}

class Walker {
  readonly reader: WireReader;
  readonly stack: Message[];
  readonly #limits: ModelLimits;
  readonly #close: (message: Message, within: readonly Message[]) => void;
  #fields = 0;
  #textBytes = 0;

  constructor(
    reader: WireReader,
    root: Shape,
    limits: ModelLimits,
    close: (message: Message, within: readonly Message[]) => void,
  ) {
    this.reader = reader;
    this.stack = [new Message(root, reader.size, '')];
    this.#limits = limits;
    this.#close = close;
  }

  get done(): boolean {
    return this.stack.length === 0;
  }

  /** Goes on until the window has to be filled, which it says, or the file is at its end. */
  step(): boolean {
    const { reader, stack } = this;
    for (let open = stack.at(-1); open !== undefined; open = stack.at(-1)) {
      if (reader.position === open.end) {
        stack.pop();
        this.#close(open, stack);
        continue;
      }
      if (!reader.has(HEAD_BYTES)) return true;
      const start = reader.position;
      if (this.#field(open)) continue;
      // The text is not in the window as a whole: again from its tag, with the window there.
      reader.position = start;
      return true;
    }
    return false;
  }

  /** Reads one field; false when the window is too short for it. */
  #field(open: Message): boolean {
    const { reader } = this;
    const tag = reader.varint(open.end);
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1 || tag > 0xffff_ffff) throw new WireError(`has a field of number ${number}`);
    const field = open.shape.fields[number];
    switch (wire) {
      case VARINT: {
        const value = reader.varint(open.end);
        if (field !== undefined) this.#number(open, field, value);
        break;
      }
      case FIXED_64:
      case FIXED_32: {
        const bytes = wire === FIXED_64 ? 8 : 4;
        if (field !== undefined) {
          if (field.kind !== 'data' || field.unit !== bytes) throw wrongWire(field, wire);
          open.add(field.name, { bytes, itemsMin: 1, itemsMax: 1 });
        }
        this.#skip(open, bytes);
        break;
      }
      case LENGTH: {
        const length = reader.varint(open.end);
        if (length > open.end - reader.position) {
          throw new WireError(`has a field ${number} of ${length} bytes, more than are left`);
        }
        if (field === undefined) this.#skip(open, length);
        else if (!this.#value(open, field, length)) return false;
        break;
      }
      default:
        throw new WireError(`has a field ${number} of wire type ${wire}`);
    }
    this.#fields += 1;
    if (this.#fields > this.#limits.fieldsMax) {
      throw this.limit('fields', this.#fields, this.#limits.fieldsMax);
    }
    return true;
  }

  #number(open: Message, field: Field, value: number): void {
    if (field.kind === 'int') open.setInt(field.name, value);
    else if (field.kind === 'ints') this.#push(open, field, value);
    else if (field.kind === 'data' && field.unit === 'varint') {
      open.add(field.name, { bytes: 1, itemsMin: 1, itemsMax: 1 });
    } else throw wrongWire(field, VARINT);
  }

  /** A field with a length; the position is after it, or inside of the message that it opens. */
  #value(open: Message, field: Field, length: number): boolean {
    const { reader } = this;
    switch (field.kind) {
      case 'each':
      case 'kept':
        this.#open(open, field, length);
        return true;
      case 'data':
        open.add(field.name, amountOf(field.unit, length));
        this.#skip(open, length);
        return true;
      case 'text':
      case 'ints': {
        if (length > TEXT_BYTES_MAX) throw this.limit(field.name, length, TEXT_BYTES_MAX, 'bytes');
        if (!reader.has(length)) return false;
        const end = reader.position + length;
        if (field.kind === 'ints') {
          while (reader.position < end) this.#push(open, field, reader.varint(end));
          return true;
        }
        this.#textBytes += length;
        if (this.#textBytes > this.#limits.textBytesMax) {
          throw this.limit('names', this.#textBytes, this.#limits.textBytesMax, 'bytes');
        }
        open.setText(field.name, reader.text(length));
        return true;
      }
      default:
        throw wrongWire(field, LENGTH);
    }
  }

  #open(parent: Message, field: Field & { kind: 'each' | 'kept' }, length: number): void {
    const before = parent.count(field.name);
    const single = field.kind === 'kept' && field.max === 1;
    if (single && before > 0) throw new WireError(`has "${field.name}" twice`);
    if (field.kind === 'kept' && before >= field.max) {
      throw this.limit(field.name, before + 1, field.max);
    }
    if (this.stack.length >= STACK_MAX) throw this.limit('nesting', STACK_MAX + 1, STACK_MAX);
    const place = single ? field.name : `${field.name}[${before}]`;
    const child = new Message(field.shape(), this.reader.position + length, place);
    if (field.kind === 'kept') parent.keep(field.name, child);
    this.stack.push(child);
  }

  #push(open: Message, field: Field & { kind: 'ints' }, value: number): void {
    const count = open.push(field.name, value);
    if (count > field.max) throw this.limit(field.name, count, field.max);
  }

  #skip(open: Message, bytes: number): void {
    if (bytes > open.end - this.reader.position)
      throw new WireError('ends in the middle of a field');
    this.reader.position += bytes;
  }

  limit(what: string, value: number, max: number, unit = ''): BundleError {
    const path = [pathOf(this.stack), what].filter((part) => part !== '').join('.');
    const size = unit === '' ? String(value) : `${value} ${unit}`;
    const problem = { path, value: size, allowed: `must be at most ${max}` };
    return BundleError.of('BUNDLE_LIMIT', 'model.onnx', [problem]);
  }
}

function amountOf(unit: 4 | 8 | 'varint' | 'bytes', bytes: number): Amount {
  if (unit === 'bytes') return { bytes, itemsMin: 1, itemsMax: 1 };
  if (unit === 'varint') return { bytes, itemsMin: Math.ceil(bytes / 10), itemsMax: bytes };
  if (bytes % unit !== 0) throw new WireError(`has ${bytes} bytes of numbers of ${unit} bytes`);
  return { bytes, itemsMin: bytes / unit, itemsMax: bytes / unit };
}

const wrongWire = (field: Field, wire: number): WireError =>
  new WireError(`has "${field.name}" with wire type ${wire}`);
