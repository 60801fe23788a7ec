// biome-ignore-all lint/suspicious/noTemplateCurlyInString: placeholders of the tools look like that
import { describe, expect, it } from '@jest/globals';
import { expandVariables, parseEnvironmentFile, variablesIn } from './variables.ts';

describe('expandVariables', () => {
  const variables = { NAME: 'n', PATH_2: 'p', QUOTE: 'a"b\\c', COUNT: '5', EMPTY: '' };

  it.each([
    ['{"a":"$NAME"}', '{"a":"n"}'],
    ['{"a":"${NAME}x$PATH_2/$NAME"}', '{"a":"nxp/n"}'],
    ['{"$NAME":"${EMPTY}"}', '{"n":""}'],
    [
      '{"a":"$NAMED ${UNKNOWN} $edgeHub ${MODULES.x} $"}',
      '{"a":"$NAMED ${UNKNOWN} $edgeHub ${MODULES.x} $"}',
    ],
    ['{"a":$COUNT}', '{"a":5}'],
    ['{"a":"$QUOTE"}', '{"a":"a\\"b\\\\c"}'],
    ['{"\\"":"$QUOTE","b":${COUNT}}', '{"\\"":"a\\"b\\\\c","b":5}'],
  ])('%s becomes %s', (text, expected) => {
    expect(expandVariables(text, variables)).toBe(expected);
  });

  it('does not expand what a value holds', () => {
    expect(expandVariables('"$A"', { A: '$B', B: 'x' })).toBe('"$B"');
  });

  it('knows nothing that every object has', () => {
    expect(expandVariables('"$constructor"', {})).toBe('"$constructor"');
  });
});

describe('variablesIn', () => {
  it('lists names in capitals once, and no keys or system properties', () => {
    expect(
      variablesIn(
        '$SITE ${SITE} $TOKEN_2 $edgeHub $upstream $body.x ${MODULES.a} $schema-template',
      ),
    ).toEqual(['SITE', 'TOKEN_2']);
  });
});

describe('parseEnvironmentFile', () => {
  it('reads names, quotes, comments and export', () => {
    const text = [
      '# comment',
      'A=plain # remark',
      'export B = spaced ',
      'C="quo\\"ted # no remark\\n" # remark',
      "D='single $X \\n'",
      'E=',
      'F=a=b;c=d#e',
      'not a line',
      '',
    ].join('\r\n');
    expect(parseEnvironmentFile(text)).toEqual({
      A: 'plain',
      B: 'spaced',
      C: 'quo"ted # no remark\n',
      D: 'single $X \\n',
      E: '',
      F: 'a=b;c=d#e',
    });
  });
});
