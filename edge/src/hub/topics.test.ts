import { describe, expect, it } from '@jest/globals';
import { decodeProperties, encodeProperties, inputTopic, parsePublishTopic } from './topics.ts';

describe('publish topics', () => {
  const events = 'devices/d/modules/m/messages/events';
  it.each([
    [`${events}/%24.on=o1&a=b/`, '%24.on=o1&a=b'],
    [`${events}/%24.on=o1`, '%24.on=o1'],
    [`${events}/`, ''],
    [events, ''],
  ])('%s is a message of a module', (topic, properties) => {
    expect(parsePublishTopic(topic)).toEqual({
      kind: 'message',
      device: 'd',
      module: 'm',
      properties,
    });
  });

  it('a leaf device has no module', () => {
    expect(parsePublishTopic('devices/leaf/messages/events/a=b')).toEqual({
      kind: 'message',
      device: 'leaf',
      properties: 'a=b',
    });
  });

  it('reads the request id of twins and methods', () => {
    expect(parsePublishTopic('$iothub/twin/GET/?$rid=7')).toEqual({ kind: 'twin-get', rid: '7' });
    expect(parsePublishTopic('$iothub/twin/PATCH/properties/reported/?$rid=a-b')).toEqual({
      kind: 'twin-patch',
      rid: 'a-b',
    });
    expect(parsePublishTopic('$iothub/methods/res/200/?$rid=x')).toEqual({
      kind: 'method-response',
      status: 200,
      rid: 'x',
    });
  });

  it.each(['a/b', 'devices/d/modules/m/other', '$iothub/twin/PUT/?$rid=1'])(
    '%s is unknown',
    (topic) => {
      expect(parsePublishTopic(topic)).toEqual({ kind: 'unknown' });
    },
  );
});

describe('properties', () => {
  it('tells system from application properties, escaped or not', () => {
    expect(decodeProperties('%24.on=o1&$.mid=m%201&%24.ct=a%2Fb&x%3D=%26')).toEqual({
      system: { outputName: 'o1', messageId: 'm 1', contentType: 'a/b' },
      application: { 'x=': '&' },
    });
  });

  it('keeps the whole value after the first =, and what is no escape', () => {
    expect(decodeProperties('a=b=c&d=100%&e')).toEqual({
      system: {},
      application: { a: 'b=c', d: '100%', e: '' },
    });
  });

  it('delivers the sender but not the output, in topics that end in /', () => {
    const properties = {
      system: { outputName: 'o', connectionDeviceId: 'd', connectionModuleId: 'm', messageId: '1' },
      application: { 'k/': 'ü' },
    };
    expect(encodeProperties(properties)).toBe('%24.mid=1&%24.cdid=d&%24.cmid=m&k%2F=%C3%BC');
    expect(inputTopic('d', 'm', 'i', { system: {}, application: {} })).toBe(
      'devices/d/modules/m/inputs/i/',
    );
  });
});
