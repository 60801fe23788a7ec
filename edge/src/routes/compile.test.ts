// Tables of cases: longer than other files.
import { describe, expect, it } from '@jest/globals';
import { compileRoute } from './compile.ts';
import type { RoutableMessage } from './port.ts';
import type { RouteError } from './route-error.ts';

interface Given {
  source?: string;
  properties?: Record<string, string>;
  systemProperties?: Record<string, string>;
  body?: unknown;
}

/** A JSON message of module `m`, output `o`, unless the test says otherwise. */
function aMessage(given: Given = {}): RoutableMessage {
  return {
    source: given.source ?? '/messages/modules/m/outputs/o',
    properties: given.properties ?? {},
    systemProperties: {
      contentType: 'application/json',
      contentEncoding: 'utf-8',
      connectionModuleId: 'm',
      ...given.systemProperties,
    },
    body: Buffer.isBuffer(given.body) ? given.body : Buffer.from(JSON.stringify(given.body ?? {})),
  };
}

const routes = (condition: string, given: Given = {}): boolean =>
  compileRoute(`FROM /* WHERE ${condition} INTO $upstream`).matches(aMessage(given));

/** What a condition is: true, false, or undefined (neither it nor its negation routes). */
function verdict(condition: string, given: Given = {}): boolean | undefined {
  if (routes(condition, given)) return true;
  return routes(`NOT (${condition})`, given) ? false : undefined;
}

function refusal(route: string): RouteError {
  try {
    compileRoute(route);
  } catch (error) {
    return error as RouteError;
  }
  throw new Error(`compiled: ${route}`);
}

const refusedCondition = (condition: string) =>
  refusal(`FROM /* WHERE ${condition} INTO $upstream`);

describe('the shape of a route', () => {
  it.each([
    'FROM /messages/* INTO $upstream',
    'SELECT * FROM /messages/* INTO $upstream',
    'select * from /messages/* into $UPSTREAM',
    'FROM /messages/* WHERE true INTO $upstream',
    'FROM /messages/modules/m/outputs/*\n  INTO BrokeredEndpoint("/modules/m/inputs/i")',
    "FROM /messages/* INTO brokeredendpoint('modules/m/inputs/i/')",
    'FROM /messages /* why */ WHERE true /* and\nso on */ INTO $upstream',
  ])('%s compiles', (route) => {
    expect(compileRoute(route).matches(aMessage())).toBe(true);
  });

  it('takes a star after a slash for the start of a comment when one ends later, as the longest match', () => {
    expect(refusal('FROM /* WHERE true /* why */ INTO $upstream').offset).toBe(29);
  });

  it('reads module and input of a brokered endpoint and looks at no word between them', () => {
    expect(compileRoute('FROM /* INTO BrokeredEndpoint("/a/b/c/d")').sink).toEqual({
      kind: 'module',
      module: 'b',
      input: 'd',
    });
  });

  it.each([
    ['', 0],
    ['SELECT a FROM /* INTO $upstream', 7],
    ['FROM messages/* INTO $upstream', 5],
    ['FROM /messages/* $upstream', 17],
    ['FROM /* INTO $upstream nonsense', 23],
    ['FROM /* INTO $downstream', 13],
    ['FROM /* INTO BrokeredEndpoint("/modules/m/inputs")', 30],
    ['FROM /* INTO BrokeredEndpoint("//modules/m/inputs/i")', 30],
    ['FROM /* INTO BrokeredEndpoint("/modules//inputs/i")', 30],
    ['FROM /* INTO BrokeredEndpoint(m)', 30],
    ['FROM /* INTO BrokeredEndpoint "/modules/m/inputs/i"', 30],
    ['FROM /* INTO SomeEndpoint("/modules/m/inputs/i")', 13],
    ['FROM /* WHERE INTO $upstream', 14],
    ['FROM /* WHERE a = "b INTO $upstream', 18],
    ['FROM /* WHERE (a = "b" INTO $upstream', 23],
    ['FROM /* WHERE a = "b") INTO $upstream', 21],
    ['FROM /* WHERE a == "b" INTO $upstream', 17],
    ['FROM /* WHERE a @ "b" INTO $upstream', 16],
  ])('%j is refused at character %i', (route, offset) => {
    expect(refusal(route)).toMatchObject({ code: 'EDGE_ROUTE_INVALID', offset });
  });

  it('names line and column, both from one', () => {
    const error = refusal('FROM /messages/*\nWHERE temp > 30\nINTO $upstream');
    expect(error).toMatchObject({ line: 2, column: 12 });
    expect(error.message).toContain('as_number');
  });
});

describe('sources', () => {
  const matches = (pattern: string, source: string): boolean =>
    compileRoute(`FROM ${pattern} INTO $upstream`).matches(aMessage({ source }));

  it.each([
    ['/*', '/twinChangeNotifications', true],
    ['/messages/*', '/twinChangeNotifications', false],
    ['/messages/*', '/messages', true],
    ['/messages/*', '/messages/modules/m', true],
    ['/messages/modules/*', '/messages', false],
    ['/messages/modules/*', '/messages/modules/m/outputs/o', true],
    ['/MESSAGES/Modules/M/*', '/messages/modules/m/outputs/o', true],
    ['/messages/modules/m/outputs/o', '/messages/modules/m/outputs/o', true],
    ['/messages/modules/m/outputs/o', '/messages/modules/m/outputs/o2', false],
    ['/messages/modules/m/outputs/o', '/messages/modules/m', false],
    ['/messages/modules/m/outputs/o*', '/messages/modules/m/outputs/o', true],
    ['/messages/modules/m/outputs/o*', '/messages/modules/m/outputs/o2', false],
    ['/messages/modules/*/outputs/o', '/messages/modules/m/outputs/o', false],
    ['/twinChangeNotifications', '/twinchangenotifications', true],
  ])('%s and %s: %s', (pattern, source, expected) => {
    expect(matches(pattern, source)).toBe(expected);
  });
});

describe('properties', () => {
  it.each<[string, Given, boolean | undefined]>([
    ["kind = 'a'", { properties: { kind: 'a' } }, true],
    ["KIND = 'a'", { properties: { kind: 'a' } }, true],
    ["kind = 'A'", { properties: { kind: 'a' } }, false],
    ["kind = 'a'", {}, undefined],
    ["my-kind.x = 'a'", { properties: { 'my-kind.x': 'a' } }, true],
    ["$connectionModuleId = 'm'", {}, true],
    ["$CONNECTIONMODULEID = 'm'", {}, true],
    ["$connectionModuleId = 'x'", { properties: { $connectionModuleId: 'x' } }, true],
    ["{$connectionModuleId} = 'm'", { properties: { $connectionModuleId: 'x' } }, true],
    ["connectionModuleId = 'm'", {}, undefined],
    ['is_defined(constructor)', {}, false],
    ['NOT IS_DEFINED($connectionDeviceId)', {}, true],
    ["'b' > 'a'", {}, true],
    ["'Z' < 'a'", {}, true],
    ["'10' < '9'", {}, true],
    ["a || 'c' = 'bc'", { properties: { a: 'b' } }, true],
    ["True = 'x'", { properties: { True: 'x' } }, true],
  ])('%s with %j is %s', (condition, given, expected) => {
    expect(verdict(condition, given)).toBe(expected);
  });
});

describe('literals and arithmetic', () => {
  it.each<[string, boolean | undefined]>([
    ['1 + 2 * 3 = 7', true],
    ['(1 + 2) * 3 = 9', true],
    ['7 % 4 = 3', true],
    ['10 - 3 - 2 = 5', true],
    ['100 / 10 / 5 = 2', true],
    ['2 * 3 - 4 * 1 = 2', true],
    ['- 5 + 2 = -3', true],
    ['-5 = - 5', true],
    ['0x10 = 16', true],
    ['0xFFFFFFFFFFFFFFFF = -1', true],
    ['1.5e2 = 150', true],
    ['.5 = 0.5', true],
    ['1e1 = 10', true],
    ['10 / 4 = 2.5', true],
    ['0 / 0 = 0', undefined],
    ['1 / 0 > 5', true],
    ['e5 = 5', undefined],
    ["'a\\'b' = \"a'b\"", true],
    ["'\\u0041' = 'A'", true],
    ["'a\\\\b' = 'a\\u005cb'", true],
    ['1 <> 2', true],
    ['1 != 1', false],
    ['2 >= 2', true],
    ['2 <= 1', false],
    ['true > false', true],
    ['null = null', true],
    ['null != null', false],
    ['undefined = 1', undefined],
    ['undefined ?? true', true],
    ['1 + undefined = 1', undefined],
  ])('%s is %s', (condition, expected) => {
    expect(verdict(condition)).toBe(expected);
  });

  it('takes what stands between blanks as one name, as the longest match is one', () => {
    expect(verdict("3+4 = 'x'", { properties: { '3+4': 'x' } })).toBe(true);
    expect(verdict("a!='x'", { properties: { 'a!': 'x' } })).toBe(true);
    expect(refusedCondition('1 -2 = 3').offset).toBe(16);
  });
});

describe('three-valued logic', () => {
  const t = 'true';
  const f = 'false';
  const u = "(missing = 'x')";
  it.each<[string, boolean | undefined]>([
    [`${t} AND ${t}`, true],
    [`${t} AND ${u}`, undefined],
    [`${u} AND ${f}`, false],
    [`${f} AND ${u}`, false],
    [`${u} AND ${u}`, undefined],
    [`${u} OR ${t}`, true],
    [`${t} OR ${u}`, true],
    [`${f} OR ${u}`, undefined],
    [`${f} OR ${f}`, false],
    [`NOT ${u}`, undefined],
    [`NOT ${f} AND ${t}`, true],
    [`${t} OR ${t} AND ${f}`, true],
    ['NOT null', undefined],
    ['null AND true', undefined],
    [`${f} ?? ${t}`, false],
  ])('%s is %s', (condition, expected) => {
    expect(verdict(condition)).toBe(expected);
  });

  it('routes nothing on a condition that is no boolean', () => {
    expect(routes("'text'")).toBe(false);
    expect(routes('1')).toBe(false);
    expect(routes('null')).toBe(false);
  });
});

describe('static typing', () => {
  it.each([
    ['temp > 30', 19],
    ["NOT a = 'x'", 14],
    ["a AND 'x'", 16],
    ['1 = true', 16],
    ["1 + 'a' = 2", 16],
    ["1 || 'a' = 2", 16],
    ["- 'a' = 1", 14],
    ['a = null', 16],
    ['length(1) = 1', 14],
    ['length() = 1', 14],
    ["substring('abc') = 'a'", 14],
    ["concat('a') = 'a'", 14],
    ["nonsense('a')", 14],
    ["toString('a')", 14],
    ["twin_change_includes('a')", 14],
    ["'a' ?? 1 = 1", 18],
    ['$body. = 1', 14],
    ['$body.a[*] = 1', 14],
    ['$body.a[1][2] = 1', 14],
    ['$body.a..b = 1', 14],
  ])('%s is refused at character %i', (condition, offset) => {
    expect(refusedCondition(condition).offset).toBe(offset);
  });
});

describe('body queries', () => {
  const body = { n: 5, s: 'x', b: true, z: null, o: { p: [10, { q: 'deep' }] }, list: [1] };
  it.each<[string, boolean | undefined]>([
    ['$body.n = 5', true],
    ['$BODY.n > 4', true],
    ['$body.N = 5', undefined],
    ['30 > $body.n', true],
    ["$body.n = '5'", undefined],
    ['as_number($body.n) = 5', true],
    ['$body.b', true],
    ['NOT $body.b', false],
    ['$body.s AND true', undefined],
    ['$body.o.p[0] = 10', true],
    ["$body.o.p[1].q = 'deep'", true],
    ['$body.o.p[7] = 10', undefined],
    ['is_defined($body.o)', false],
    ['is_defined($body.list)', false],
    ['is_null($body.z)', true],
    ['is_null($body.missing)', false],
    ['$body.z = null', true],
    ['$body.n = null', undefined],
    ['is_string($body.s)', true],
    ['is_bool($body.b)', true],
    ['is_number($body.s)', false],
    ['is_null($body.__proto__.__proto__)', false],
    ['length($body.n) = 1', undefined],
    ['$body.n + $body.n = 10', true],
    ["upper($body.s) = 'X'", true],
    ['$body[0].x = 1', undefined],
  ])('%s is %s', (condition, expected) => {
    expect(verdict(condition, { body })).toBe(expected);
  });

  it('an application property that is called so wins, except in braces', () => {
    const given = { body, properties: { '$body.n': 'seven' } };
    expect(verdict("$body.n = 'seven'", given)).toBe(true);
    expect(verdict('{$body.n} = 5', given)).toBe(true);
  });

  it.each<[Record<string, string>, boolean | undefined]>([
    [{ contentType: 'APPLICATION/JSON', contentEncoding: 'UTF-8' }, true],
    [{ contentType: 'application/json', contentEncoding: '' }, undefined],
    [{ contentType: 'application/json', contentEncoding: 'latin1' }, undefined],
    [{ contentType: 'text/plain', contentEncoding: 'utf-8' }, undefined],
  ])('with %j is %s', (systemProperties, expected) => {
    expect(verdict('$body.n = 5', { body, systemProperties })).toBe(expected);
  });

  it('reads utf-16 and utf-32', () => {
    const text = '{"n":"\u{1F4A7}"}';
    const utf16 = Buffer.from(text, 'utf16le');
    const utf32 = Buffer.concat(
      [...text].map((point) => {
        const unit = Buffer.alloc(4);
        unit.writeUInt32LE(point.codePointAt(0) as number);
        return unit;
      }),
    );
    for (const [contentEncoding, bytes] of [
      ['utf-16', utf16],
      ['utf-32', utf32],
    ] as const) {
      expect(
        verdict("$body.n = '\u{1F4A7}'", { body: bytes, systemProperties: { contentEncoding } }),
      ).toBe(true);
    }
  });

  it('is undefined on a body that is no JSON', () => {
    expect(verdict('$body.n = 5', { body: Buffer.from('{"n":5') })).toBeUndefined();
  });
});

describe('functions', () => {
  it.each<[string, boolean | undefined]>([
    ['abs(-2) = 2', true],
    ['ABS(-2) = 2', true],
    ['exp(0) = 1', true],
    ['power(2, 10) = 1024', true],
    ['square(3) = 9', true],
    ['ceiling(1.2) = 2', true],
    ['floor(-1.2) = -2', true],
    ['sign(-9) = -1', true],
    ['sqrt(16) = 4', true],
    ['sqrt(-1) = 1', undefined],
    ["as_number(' 1,234.5 ') = 1234.5", true],
    ["as_number('(5)') = -5", true],
    ["as_number('1e3') = 1000", true],
    ["as_number('5-') = -5", true],
    ["as_number('0x10') = 16", undefined],
    ["as_number('warm') = 1", undefined],
    ['as_number(missing) = 1', undefined],
    ["concat('a', 'b', 'c') = 'abc'", true],
    ["length('abc') = 3", true],
    ["lower('ABC') = 'abc'", true],
    ["substring('abcdef', 2) = 'cdef'", true],
    ["substring('abcdef', 2, 3) = 'cde'", true],
    ["substring('abc', 2, 5) = 'c'", undefined],
    ["substring('abc', -1) = 'c'", undefined],
    ["index_of('abc', 'c') = 2", true],
    ["index_of('abc', 'x') = -1", true],
    ["starts_with('abc', 'ab')", true],
    ["ends_with('abc', 'bc')", true],
    ["contains('abc', 'x')", false],
    ["contains(missing, 'x')", undefined],
    ["is_string('a')", true],
    ['is_string(missing)', false],
    ['is_number(1)', true],
    ['is_bool(true)', true],
    ['is_null(null)', true],
    ['is_defined(undefined)', false],
  ])('%s is %s', (condition, expected) => {
    expect(verdict(condition)).toBe(expected);
  });
});
