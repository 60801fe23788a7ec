import { parseString } from './literals.ts';
import type { TokenReader } from './parser.ts';
import type { Sink } from './port.ts';
import { RouteError } from './route-error.ts';

/** Reads `$upstream` or `BrokeredEndpoint("/modules/<module>/inputs/<input>")`. @throws RouteError */
export function parseSink(reader: TokenReader): Sink {
  const token = reader.next();
  if (token.kind === 'dollar') {
    if (token.text.toLowerCase() !== '$upstream')
      throw new RouteError(
        `'${token.text}' is no sink, only $upstream is`,
        reader.text,
        token.offset,
      );
    return { kind: 'upstream' };
  }
  if (token.kind !== 'name' || token.text.toLowerCase() !== 'brokeredendpoint')
    reader.fail(
      'expected $upstream or BrokeredEndpoint("/modules/<module>/inputs/<input>")',
      token,
    );
  reader.expectSymbol('(', 'after BrokeredEndpoint');
  const endpoint = reader.next();
  if (endpoint.kind !== 'string') reader.fail('expected an endpoint in quotes', endpoint);
  reader.expectSymbol(')', 'after the endpoint');
  const sink = moduleSink(parseString(endpoint.text));
  if (sink === undefined) {
    throw new RouteError(
      `endpoint ${endpoint.text} must be of the form "/modules/<module>/inputs/<input>"`,
      reader.text,
      endpoint.offset,
    );
  }
  return sink;
}

/** The words at positions 1 and 3 are not looked at, as in edgeHub. */
function moduleSink(endpoint: string): Sink | undefined {
  const parts = endpoint.replace(/^\//, '').replace(/\/$/, '').split('/');
  const [, module, , input] = parts;
  if (parts.length !== 4 || !module || !input) return undefined;
  return { kind: 'module', module, input };
}
