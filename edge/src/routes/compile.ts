import { evaluate } from './evaluate.ts';
import type { Expression } from './expression.ts';
import { tokenize } from './lexer.ts';
import { parseCondition, TokenReader } from './parser.ts';
import type { CompiledRoute, RoutableMessage } from './port.ts';
import { parseSink } from './sink.ts';
import { matchesSource, parseSource } from './source.ts';
import { typeOf } from './typing.ts';

/**
 * Compiles `[SELECT *] FROM <source> [WHERE <condition>] INTO <sink>`.
 * @throws RouteError with the place of the first thing that is wrong
 */
export function compileRoute(text: string): CompiledRoute {
  const reader = new TokenReader(text, tokenize(text));
  if (reader.current.kind === 'select') {
    reader.next();
    reader.expectSymbol('*', 'after SELECT');
  }
  if (reader.current.kind !== 'from') reader.fail('expected FROM');
  reader.next();
  const source = parseSource(reader);
  const condition = parseWhere(reader);
  if (reader.current.kind !== 'into')
    reader.fail(
      condition === undefined ? 'expected WHERE or INTO' : 'expected an operator or INTO',
    );
  reader.next();
  const sink = parseSink(reader);
  if (reader.current.kind !== 'end') reader.fail('expected nothing after the sink');
  if (condition !== undefined) typeOf(condition, text);
  return {
    source,
    sink,
    matches: (message: RoutableMessage) =>
      matchesSource(source, message.source) &&
      (condition === undefined || evaluate(condition, message) === true),
  };
}

function parseWhere(reader: TokenReader): Expression | undefined {
  if (reader.current.kind !== 'where') return undefined;
  reader.next();
  return parseCondition(reader);
}
