import { findProperty, queryBody } from './body.ts';
import type { BinaryOperator, ComparisonOperator, Expression, Value } from './expression.ts';
import { functions, type RouteFunction } from './functions.ts';
import type { RoutableMessage } from './port.ts';

/**
 * The value of a condition for one message. Total: whatever the message holds, the answer is a value, and what has
 * none is undefined. NaN is undefined too, as there is no such number in JSON.
 */
export function evaluate(expression: Expression, message: RoutableMessage): Value {
  switch (expression.kind) {
    case 'literal':
      return expression.value;
    case 'property':
      return findProperty(message.properties, expression.name);
    case 'dollar':
      return (
        findProperty(message.properties, `$${expression.name}`) ??
        findProperty(message.systemProperties, expression.name)
      );
    case 'system':
      return findProperty(message.systemProperties, expression.name);
    case 'body':
      return evaluateBody(expression, message);
    case 'unary':
      return expression.operator === 'not'
        ? not(evaluate(expression.operand, message))
        : number(evaluate(expression.operand, message), 0, (x) => -x);
    case 'binary':
      return evaluateBinary(expression, message);
    case 'call':
      return call(
        functions[expression.name] as RouteFunction,
        expression.args.map((argument) => evaluate(argument, message)),
      );
  }
}

function evaluateBody(node: Expression & { kind: 'body' }, message: RoutableMessage): Value {
  const property = node.escaped ? undefined : findProperty(message.properties, node.text);
  return property ?? queryBody(message, node.steps);
}

function evaluateBinary(node: Expression & { kind: 'binary' }, message: RoutableMessage): Value {
  const left = evaluate(node.left, message);
  if (node.operator === '??') return left === undefined ? evaluate(node.right, message) : left;
  return combine(node.operator, left, evaluate(node.right, message));
}

function combine(operator: Exclude<BinaryOperator, '??'>, left: Value, right: Value): Value {
  switch (operator) {
    case 'and':
      return and(left, right);
    case 'or':
      return not(and(not(left), not(right)));
    case '||':
      return typeof left === 'string' && typeof right === 'string' ? left + right : undefined;
    case '*':
      return number(left, right, (x, y) => x * y);
    case '/':
      return number(left, right, (x, y) => x / y);
    case '%':
      return number(left, right, (x, y) => x % y);
    case '+':
      return number(left, right, (x, y) => x + y);
    case '-':
      return number(left, right, (x, y) => x - y);
    default:
      return compare(operator, left, right);
  }
}

/** Undefined stands for unknown: false AND unknown is false, everything else with unknown is unknown. */
function and(left: Value, right: Value): boolean | undefined {
  if (left === false || right === false) return false;
  return left === true && right === true ? true : undefined;
}

const not = (value: Value): boolean | undefined =>
  typeof value === 'boolean' ? !value : undefined;

function number(left: Value, right: Value, compute: (x: number, y: number) => number): Value {
  if (typeof left !== 'number' || typeof right !== 'number') return undefined;
  const result = compute(left, right);
  return Number.isNaN(result) ? undefined : result;
}

/** Strings by UTF-16 code units, false before true, no conversion: values of two types do not compare. */
function compare(operator: ComparisonOperator, left: Value, right: Value): boolean | undefined {
  if (left === undefined || right === undefined) return undefined;
  if (left === null || right === null) {
    if (left !== right) return undefined;
    return operator === '=' || operator === '<=' || operator === '>=';
  }
  if (typeof left !== typeof right) return undefined;
  switch (operator) {
    case '=':
      return left === right;
    case '!=':
      return left !== right;
    case '<':
      return left < right;
    case '<=':
      return left <= right;
    case '>':
      return left > right;
    case '>=':
      return left >= right;
  }
}

function call(target: RouteFunction, args: Value[]): Value {
  const fitting = target.signatures.some((signature) =>
    args.every((value, i) => runtimeFits(value, signature[Math.min(i, signature.length - 1)])),
  );
  if (!fitting) return undefined;
  const result = target.call(...args);
  return Number.isNaN(result) ? undefined : result;
}

function runtimeFits(value: Value, wanted: string | undefined): boolean {
  return wanted === 'any' || typeof value === wanted;
}
