import type { Expression } from './expression.ts';
import { functions, type RouteFunction, type ValueType } from './functions.ts';
import { RouteError } from './route-error.ts';

/**
 * Finds the static type of a condition. Properties are strings, body values dynamic: `temp > 30` is refused here,
 * before any message arrives. A literal `undefined` and a body value fit everywhere.
 * @throws RouteError at the operator or function whose operands do not fit
 */
export function typeOf(expression: Expression, text: string): ValueType {
  switch (expression.kind) {
    case 'literal':
      return literalType(expression.value);
    case 'property':
    case 'dollar':
    case 'system':
      return 'string';
    case 'body':
      return 'dynamic';
    case 'unary':
      return unaryType(expression, text);
    case 'binary':
      return binaryType(expression, text);
    case 'call':
      return callType(expression, text);
  }
}

function literalType(value: unknown): ValueType {
  if (value === undefined) return 'undefined';
  if (value === null) return 'null';
  return typeof value === 'boolean' ? 'bool' : (typeof value as 'string' | 'number');
}

const fits = (given: ValueType, wanted: ValueType | 'any'): boolean =>
  wanted === 'any' || given === wanted || given === 'undefined' || given === 'dynamic';

function unaryType(node: Expression & { kind: 'unary' }, text: string): ValueType {
  const given = typeOf(node.operand, text);
  if (node.operator === '-') {
    if (!fits(given, 'number')) refuse("'-'", [given], 'a number', text, node.offset);
    return 'number';
  }
  if (given !== 'null' && !fits(given, 'bool'))
    refuse('NOT', [given], 'a condition; put parentheses around it', text, node.offset);
  return 'bool';
}

function binaryType(node: Expression & { kind: 'binary' }, text: string): ValueType {
  const left = typeOf(node.left, text);
  const right = typeOf(node.right, text);
  const both = (wanted: ValueType, name: string): void => {
    if (!fits(left, wanted) || !fits(right, wanted))
      refuse(`'${node.operator}'`, [left, right], name, text, node.offset);
  };
  switch (node.operator) {
    case '*':
    case '/':
    case '%':
    case '+':
    case '-':
      both('number', 'two numbers (as_number makes one of a property)');
      return 'number';
    case '||':
      both('string', 'two strings');
      return 'string';
    case 'and':
    case 'or':
      if (![left, right].every((type) => type === 'null' || fits(type, 'bool')))
        refuse(node.operator.toUpperCase(), [left, right], 'two conditions', text, node.offset);
      return 'bool';
    case '??':
      sameType(node, left, right, text);
      return left === 'undefined' ? right : left === right ? left : 'dynamic';
    default:
      sameType(node, left, right, text);
      return 'bool';
  }
}

function sameType(
  node: Expression & { kind: 'binary' },
  left: ValueType,
  right: ValueType,
  text: string,
): void {
  if (fits(right, left) || fits(left, right)) return;
  const hint =
    (left === 'string' && right === 'number') || (left === 'number' && right === 'string')
      ? 'two values of one type (as_number makes a number of a property)'
      : 'two values of one type';
  refuse(`'${node.operator}'`, [left, right], hint, text, node.offset);
}

function callType(node: Expression & { kind: 'call' }, text: string): ValueType {
  const found = Object.hasOwn(functions, node.name) ? functions[node.name] : undefined;
  if (found === undefined) {
    const problem =
      node.name === 'twin_change_includes'
        ? 'twin_change_includes does not work in routes of an edge hub'
        : `there is no function '${node.name}'; there are ${Object.keys(functions).join(', ')}`;
    throw new RouteError(problem, text, node.offset);
  }
  const given = node.args.map((argument) => typeOf(argument, text));
  if (!found.signatures.some((signature) => accepts(found, signature, given))) {
    const allowed = found.signatures
      .map((signature) => `${node.name}(${signature.join(', ')}${found.variadic ? ', ...' : ''})`)
      .join(' or ');
    throw new RouteError(
      `${node.name}(${given.join(', ')}) does not exist, only ${allowed}`,
      text,
      node.offset,
    );
  }
  return found.result;
}

function accepts(
  { variadic }: RouteFunction,
  signature: readonly (ValueType | 'any')[],
  given: readonly ValueType[],
): boolean {
  if (variadic ? given.length < signature.length : given.length !== signature.length) return false;
  return given.every((type, i) =>
    fits(type, signature[Math.min(i, signature.length - 1)] ?? 'any'),
  );
}

function refuse(
  operator: string,
  given: ValueType[],
  wanted: string,
  text: string,
  offset: number,
): never {
  throw new RouteError(`${operator} needs ${wanted}, not ${given.join(' and ')}`, text, offset);
}
