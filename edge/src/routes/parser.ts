import { bodySteps } from './body.ts';
import type { BinaryOperator, Expression, Value } from './expression.ts';
import type { Token } from './lexer.ts';
import { parseNumber, parseString } from './literals.ts';
import { RouteError } from './route-error.ts';

/** How tightly an operator binds; prefix `-` and NOT bind tighter than all of these. */
const strength: Readonly<Record<string, number>> = {
  '??': 1,
  or: 2,
  and: 3,
  '=': 4,
  '!=': 4,
  '<>': 4,
  '<': 5,
  '<=': 5,
  '>': 5,
  '>=': 5,
  '+': 6,
  '-': 6,
  '||': 6,
  '*': 7,
  '/': 7,
  '%': 7,
};
const PREFIX_STRENGTH = 8;

/** Nesting that is still parsed: deeper ones are a mistake or an attack on the stack. */
const DEPTH_MAX = 100;

const constants: Readonly<Record<string, Value>> = {
  true: true,
  false: false,
  null: null,
  undefined: undefined,
};

/** A place in a list of tokens, moved forward by the parsers. */
export class TokenReader {
  readonly text: string;
  readonly #tokens: readonly Token[];
  #position = 0;

  constructor(text: string, tokens: readonly Token[]) {
    this.text = text;
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#position] as Token;
  }

  next(): Token {
    const token = this.current;
    if (token.kind !== 'end') this.#position += 1;
    return token;
  }

  isSymbol(symbol: string): boolean {
    return this.current.kind === 'symbol' && this.current.text === symbol;
  }

  /** Takes a symbol that must come here. */
  expectSymbol(symbol: string, where: string): void {
    if (!this.isSymbol(symbol)) this.fail(`expected '${symbol}' ${where}`);
    this.next();
  }

  fail(problem: string, token: Token = this.current): never {
    const found = token.kind === 'end' ? 'the end of the route' : `'${token.text}'`;
    throw new RouteError(`${problem}, found ${found}`, this.text, token.offset);
  }
}

/** Parses one condition and stops at the first token that cannot belong to it. @throws RouteError */
export function parseCondition(reader: TokenReader): Expression {
  return parseExpression(reader, 0, 0);
}

function parseExpression(reader: TokenReader, weakest: number, depth: number): Expression {
  if (depth > DEPTH_MAX) reader.fail(`condition is nested more than ${DEPTH_MAX} levels deep`);
  let left = parseOperand(reader, depth);
  for (;;) {
    const token = reader.current;
    const operator = operatorOf(token);
    const binds = operator === undefined ? 0 : (strength[operator] ?? 0);
    if (operator === undefined || binds <= weakest) return left;
    reader.next();
    const right = parseExpression(reader, binds, depth + 1);
    left = { kind: 'binary', operator, left, right, offset: token.offset };
  }
}

function operatorOf(token: Token): BinaryOperator | undefined {
  const name = token.kind === 'symbol' ? token.text : token.kind;
  if (name === '<>') return '!=';
  return name in strength ? (name as BinaryOperator) : undefined;
}

function parseOperand(reader: TokenReader, depth: number): Expression {
  const token = reader.next();
  const { offset } = token;
  switch (token.kind) {
    case 'string':
      return { kind: 'literal', value: parseString(token.text), offset };
    case 'number':
      return { kind: 'literal', value: parseNumber(token.text), offset };
    case 'constant':
      return { kind: 'literal', value: constants[token.text], offset };
    case 'dollar':
      return dollarOperand(reader, token, false);
    case 'name':
      if (reader.isSymbol('(')) return parseCall(reader, token, depth);
      return { kind: 'property', name: token.text, offset };
    case 'not': {
      const operand = parseExpression(reader, PREFIX_STRENGTH, depth + 1);
      return { kind: 'unary', operator: 'not', operand, offset };
    }
    case 'symbol':
      return parseSymbolOperand(reader, token, depth);
    default:
      return reader.fail('expected a value, a property or a function', token);
  }
}

function parseSymbolOperand(reader: TokenReader, token: Token, depth: number): Expression {
  const { offset } = token;
  if (token.text === '-') {
    const operand = parseExpression(reader, PREFIX_STRENGTH, depth + 1);
    return { kind: 'unary', operator: '-', operand, offset };
  }
  if (token.text === '(') {
    const inner = parseExpression(reader, 0, depth + 1);
    reader.expectSymbol(')', `to close the '(' at character ${offset + 1}`);
    return inner;
  }
  if (token.text === '{') {
    const name = reader.next();
    if (name.kind !== 'dollar')
      reader.fail("expected a system property such as $name after '{'", name);
    const operand = dollarOperand(reader, name, true);
    reader.expectSymbol('}', "to close the '{'");
    return operand;
  }
  return reader.fail('expected a value, a property or a function', token);
}

function dollarOperand(reader: TokenReader, token: Token, escaped: boolean): Expression {
  const { text, offset } = token;
  if (/^\$body\./i.test(text)) {
    const steps = bodySteps(text.slice('$body.'.length));
    if (steps === undefined) {
      throw new RouteError(
        `body query '${text}' must be names separated by dots, each with at most one [n]`,
        reader.text,
        offset,
      );
    }
    return { kind: 'body', text, steps, escaped, offset };
  }
  if (/[[\]]/.test(text)) return { kind: 'literal', value: undefined, offset };
  return escaped
    ? { kind: 'system', name: text.slice(1), offset }
    : { kind: 'dollar', name: text.slice(1), offset };
}

function parseCall(reader: TokenReader, name: Token, depth: number): Expression {
  reader.next();
  const args: Expression[] = [];
  if (!reader.isSymbol(')')) {
    args.push(parseExpression(reader, 0, depth + 1));
    while (reader.isSymbol(',')) {
      reader.next();
      args.push(parseExpression(reader, 0, depth + 1));
    }
  }
  reader.expectSymbol(')', `to close the arguments of ${name.text}`);
  return { kind: 'call', name: name.text.toLowerCase(), args, offset: name.offset };
}
