import type { Value } from './expression.ts';
import { numberFromText } from './literals.ts';

/** Static type of an expression; `dynamic` is a value of the body, known only at run time. */
export type ValueType = 'string' | 'number' | 'bool' | 'null' | 'undefined' | 'dynamic';

export interface RouteFunction {
  /** Accepted argument lists; `any` takes every type. A list may be repeated from its last type on when `variadic`. */
  signatures: readonly (readonly (ValueType | 'any')[])[];
  variadic?: boolean;
  result: ValueType;
  /** Gets arguments of the run-time types of a signature unless that is `any`; undefined never gets in otherwise. */
  call(...args: Value[]): Value;
}

const oneNumber = (compute: (x: number) => number): RouteFunction => ({
  signatures: [['number']],
  result: 'number',
  call: (x) => compute(x as number),
});

const twoStrings = (test: (a: string, b: string) => boolean | number): RouteFunction => ({
  signatures: [['string', 'string']],
  result: typeof test('', '') === 'number' ? 'number' : 'bool',
  call: (a, b) => test(a as string, b as string),
});

const typeTest = (test: (x: Value) => boolean): RouteFunction => ({
  signatures: [['any']],
  result: 'bool',
  call: test,
});

const oneString = (result: ValueType, compute: (text: string) => Value): RouteFunction => ({
  signatures: [['string']],
  result,
  call: (text) => compute(text as string),
});

/** All functions of the language by their lower-case names. */
export const functions: Readonly<Record<string, RouteFunction>> = {
  abs: oneNumber(Math.abs),
  exp: oneNumber(Math.exp),
  square: oneNumber((x) => x * x),
  ceiling: oneNumber(Math.ceil),
  floor: oneNumber(Math.floor),
  sign: oneNumber(Math.sign),
  sqrt: oneNumber(Math.sqrt),
  power: {
    signatures: [['number', 'number']],
    result: 'number',
    call: (x, y) => (x as number) ** (y as number),
  },

  as_number: {
    signatures: [['string'], ['number']],
    result: 'number',
    call: (x) => (typeof x === 'string' ? numberFromText(x) : x),
  },
  is_bool: typeTest((x) => typeof x === 'boolean'),
  is_defined: typeTest((x) => x !== undefined),
  is_null: typeTest((x) => x === null),
  is_number: typeTest((x) => typeof x === 'number'),
  is_string: typeTest((x) => typeof x === 'string'),

  concat: {
    signatures: [['string', 'string']],
    variadic: true,
    result: 'string',
    call: (...parts) => parts.join(''),
  },
  length: oneString('number', (text) => text.length),
  lower: oneString('string', (text) => text.toLowerCase()),
  upper: oneString('string', (text) => text.toUpperCase()),
  substring: {
    signatures: [
      ['string', 'number'],
      ['string', 'number', 'number'],
    ],
    result: 'string',
    call: (text, start, length) =>
      substring(text as string, start as number, length as number | undefined),
  },
  index_of: twoStrings((text, part) => text.indexOf(part)),
  starts_with: twoStrings((text, part) => text.startsWith(part)),
  ends_with: twoStrings((text, part) => text.endsWith(part)),
  contains: twoStrings((text, part) => text.includes(part)),
};

/** Positions count from 0; anything outside the text is undefined, not clipped. */
function substring(text: string, start: number, length: number | undefined): Value {
  const from = Math.trunc(start);
  const to = length === undefined ? text.length : from + Math.trunc(length);
  if (from < 0 || to < from || to > text.length) return undefined;
  return text.slice(from, to);
}
