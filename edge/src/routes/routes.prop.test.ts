/*
 * Goal: the condition language is total and lawful. Method: random expression trees are printed, parsed again and
 * compared; random well-typed conditions over random messages are evaluated and checked against the laws of
 * three-valued logic; random text never makes the compiler fail with anything but a RouteError.
 */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { compileRoute } from './compile.ts';
import { evaluate } from './evaluate.ts';
import type { Expression, Value } from './expression.ts';
import { tokenize } from './lexer.ts';
import { parseCondition, TokenReader } from './parser.ts';
import type { RoutableMessage } from './port.ts';
import { typeOf } from './typing.ts';

const parse = (text: string): Expression => parseCondition(new TokenReader(text, tokenize(text)));

/** Every node in parentheses and every token between blanks, so that nothing can run together. */
function print(node: Expression): string {
  switch (node.kind) {
    case 'literal':
      return typeof node.value === 'string' ? `"${escaped(node.value)}"` : String(node.value);
    case 'property':
      return node.name;
    case 'dollar':
      return `$${node.name}`;
    case 'system':
      return `{ $${node.name} }`;
    case 'body':
      return node.escaped ? `{ ${node.text} }` : node.text;
    case 'call':
      return `${node.name} ( ${node.args.map(print).join(' , ')} )`;
    case 'unary':
      return `( ${node.operator} ${print(node.operand)} )`;
    case 'binary':
      return `( ${print(node.left)} ${node.operator} ${print(node.right)} )`;
  }
}

const escaped = (text: string): string => text.replace(/["\\]/g, '\\$&');

const withoutOffsets = (node: Expression): unknown =>
  JSON.parse(
    JSON.stringify(node, (key, value: unknown) =>
      key === 'offset' ? undefined : value === undefined ? 'UNDEFINED' : value,
    ),
  );

const at = { offset: 0 };
const literal = (value: Value): Expression => ({ kind: 'literal', value, ...at });

const leaf: fc.Arbitrary<Expression> = fc.oneof(
  fc.constantFrom<Value>(true, false, null, undefined).map(literal),
  fc.string().map(literal),
  fc.nat().map(literal),
  fc
    .constantFrom('a', 'b', 'kind', 'x-y')
    .map((name): Expression => ({ kind: 'property', name, ...at })),
  fc.constantFrom('messageId', 'a').map((name): Expression => ({ kind: 'dollar', name, ...at })),
  fc.constantFrom('messageId').map((name): Expression => ({ kind: 'system', name, ...at })),
  fc.boolean().map(
    (escaped): Expression => ({
      kind: 'body',
      text: '$body.p.q[1]',
      steps: [{ name: 'p' }, { name: 'q', index: 1 }],
      escaped,
      ...at,
    }),
  ),
);

const { anyExpression } = fc.letrec<{ anyExpression: Expression }>((tie) => ({
  anyExpression: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    leaf,
    fc
      .tuple(fc.constantFrom('not' as const, '-' as const), tie('anyExpression'))
      .map(([operator, operand]): Expression => ({ kind: 'unary', operator, operand, ...at })),
    fc
      .tuple(
        fc.constantFrom(
          '*',
          '/',
          '%',
          '+',
          '-',
          '=',
          '!=',
          '<',
          '<=',
          '>',
          '>=',
          '||',
          'and',
          'or',
          '??',
        ),
        tie('anyExpression'),
        tie('anyExpression'),
      )
      .map(
        ([operator, left, right]) =>
          ({ kind: 'binary', operator, left, right, ...at }) as Expression,
      ),
    fc
      .tuple(
        fc.constantFrom(
          'abs',
          'length',
          'as_number',
          'is_null',
          'is_defined',
          'concat',
          'substring',
        ),
        fc.array(tie('anyExpression'), { maxLength: 3 }),
      )
      .map(([name, args]): Expression => ({ kind: 'call', name, args, ...at })),
  ),
}));

const anyMessage: fc.Arbitrary<RoutableMessage> = fc.record({
  source: fc.constant('/messages/modules/m/outputs/o'),
  properties: fc.dictionary(fc.constantFrom('a', 'B', 'kind', 'x-y', '$body.p.q[1]'), fc.string()),
  systemProperties: fc.record({
    contentType: fc.constantFrom('application/json', 'text/plain'),
    contentEncoding: fc.constantFrom('utf-8', 'utf-16', 'utf-32', ''),
    messageId: fc.string(),
  }),
  body: fc.oneof(
    fc.json().map((text) => Buffer.from(text)),
    fc.jsonValue().map((q) => Buffer.from(JSON.stringify({ p: { q: [0, q] } }))),
    fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  ),
});

function isWellTyped(node: Expression): boolean {
  try {
    typeOf(node, '');
    return true;
  } catch {
    return false;
  }
}

const wellTyped = anyExpression.filter(isWellTyped);

const not = (operand: Expression): Expression => ({
  kind: 'unary',
  operator: 'not',
  operand,
  ...at,
});
const binary = (operator: 'and' | 'or', left: Expression, right: Expression): Expression => ({
  kind: 'binary',
  operator,
  left,
  right,
  ...at,
});
const logical = (value: Value) => (typeof value === 'boolean' ? value : undefined);

describe('the condition language', () => {
  it('parses what was printed to the same tree', () => {
    fc.assert(
      fc.property(anyExpression, (node) => {
        expect(withoutOffsets(parse(print(node)))).toEqual(withoutOffsets(node));
      }),
    );
  });

  it('gives every well-typed condition a value of its static type or undefined, whatever the message', () => {
    fc.assert(
      fc.property(wellTyped, anyMessage, (node, message) => {
        const value = evaluate(node, message);
        const type = typeOf(node, '');
        expect(Number.isNaN(value)).toBe(false);
        if (value === undefined || type === 'dynamic') return;
        expect(value === null ? 'null' : typeof value).toBe(type === 'bool' ? 'boolean' : type);
      }),
      { numRuns: 1000 },
    );
  });

  it('keeps the laws of three-valued logic', () => {
    fc.assert(
      fc.property(wellTyped, wellTyped, anyMessage, (a, b, message) => {
        const value = (node: Expression) => logical(evaluate(node, message));
        expect(value(not(not(a)))).toBe(value(a));
        expect(value(binary('and', a, b))).toBe(value(binary('and', b, a)));
        expect(value(not(binary('and', a, b)))).toBe(value(binary('or', not(a), not(b))));
        expect(value(not(binary('or', a, b)))).toBe(value(binary('and', not(a), not(b))));
        expect(value(binary('and', a, literal(false)))).toBe(false);
        expect(value(binary('or', a, literal(true)))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('answers any text with a route or a RouteError', () => {
    const fragments = fc.constantFrom(
      ...[
        'FROM',
        '/messages/*',
        'WHERE',
        'INTO',
        '$upstream',
        '(',
        ')',
        "'a'",
        '"',
        '=',
        'NOT',
        'x',
      ],
      ...['/*', '*/', '$body.a[0]', '{', '}', '1', '-', 'AND', '??', 'abs', ',', '\\', '\n'],
    );
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(fragments).map((parts) => parts.join(' ')),
        ),
        (text) => {
          try {
            compileRoute(text);
          } catch (error) {
            expect(error).toMatchObject({ code: 'EDGE_ROUTE_INVALID' });
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  it('refuses nesting that would exhaust the stack', () => {
    const deep = '('.repeat(50_000);
    expect(() => compileRoute(`FROM /* WHERE ${deep} INTO $upstream`)).toThrow(/nested more than/);
  });
});
