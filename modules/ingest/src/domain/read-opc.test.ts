import { describe, expect, it } from '@jest/globals';
import { anIntake, NOW_MS } from '../testing/an-intake.ts';
import { nameOf, readHubDocument } from './read-opc.ts';

const T = new Date(NOW_MS).toISOString();

const networkMessage = (message: Record<string, unknown>) => ({
  MessageId: '1',
  MessageType: 'ua-data',
  PublisherId: 'publisher',
  Messages: [{ DataSetWriterId: 7, DataSetWriterName: 'pump-1', Timestamp: T, ...message }],
});

function intakeOf(document: unknown, asset?: string) {
  const intake = anIntake();
  readHubDocument(document, intake, { asset });
  return intake;
}

describe('readHubDocument, OPC UA PubSub', () => {
  it('makes one row of one data set message', () => {
    const intake = intakeOf(
      networkMessage({
        Payload: {
          Pressure: { Value: 1.5, SourceTimestamp: T, StatusCode: { Code: 0, Symbol: 'Good' } },
          Running: { Value: true },
          Flow: 3,
        },
      }),
    );
    expect(intake.accepted).toEqual([
      { asset: 'pump-1', t: NOW_MS, signals: ['Pressure', 'Running', 'Flow'], values: [1.5, 1, 3] },
    ]);
  });

  it.each([
    0x80340000,
    { Code: 0x80340000 },
    'BadNodeIdUnknown',
    { Symbol: 'BadCommunicationError' },
  ])('takes a value with status %p as missing', (StatusCode) => {
    const intake = intakeOf(networkMessage({ Payload: { p: { Value: 9, StatusCode }, q: 1 } }));
    expect(intake.accepted[0]?.values).toEqual([null, 1]);
  });

  it('keeps a value with an uncertain status', () => {
    const intake = intakeOf(
      networkMessage({ Payload: { p: { Value: 9, StatusCode: 0x40000000 } } }),
    );
    expect(intake.accepted[0]?.values).toEqual([9]);
  });

  it('uses the writer id and the newest source time when there is nothing better', () => {
    const older = new Date(NOW_MS - 1000).toISOString();
    const intake = intakeOf(
      networkMessage({
        DataSetWriterName: undefined,
        Timestamp: undefined,
        Payload: {
          p: { Value: 1, SourceTimestamp: T },
          q: { Value: 2, SourceTimestamp: older },
        },
      }),
    );
    expect(intake.accepted[0]).toMatchObject({ asset: '7', t: NOW_MS });
  });

  it('passes over metadata without counting it', () => {
    expect(intakeOf({ MessageType: 'ua-metadata', MetaData: {} }).rows).toBe(0);
  });

  it('names the place of a text value and takes the other messages', () => {
    const good = networkMessage({ Payload: { p: 1 } });
    const intake = intakeOf([good, networkMessage({ Payload: { p: { Value: 'on' } } })]);
    expect(intake.accepted).toHaveLength(1);
    expect(intake.refusals[0]).toMatchObject({
      code: 'value-type',
      path: '[1].Messages[0].Payload.p',
      value: '"on"',
    });
  });

  it.each([
    [{ MessageType: 'ua-data' }, 'Messages'],
    [networkMessage({ Payload: 5 }), 'Messages[0].Payload'],
    [networkMessage({ Payload: {} }), 'Messages[0].Payload'],
    [networkMessage({ Payload: { p: 1 }, Timestamp: 'x' }), 'Messages[0].Timestamp'],
  ])('refuses %j', (document, path) => {
    expect(intakeOf(document).refusals[0]?.path).toBe(path);
  });

  it('reads plain samples', () => {
    const intake = intakeOf(
      [{ NodeId: 'ns=2;s=Pump/Flow', Value: { Value: 4, SourceTimestamp: T, StatusCode: 0 } }],
      'plc-1',
    );
    expect(intake.accepted).toEqual([
      { asset: 'plc-1', t: NOW_MS, signals: ['Pump_Flow'], values: [4] },
    ]);
  });

  it('reads the forms of HTTP, with the sender as asset when none is named', () => {
    expect(intakeOf({ t: NOW_MS, values: { p: 1 } }, 'sensor-7').accepted[0]?.asset).toBe(
      'sensor-7',
    );
  });
});

describe('nameOf', () => {
  it.each([
    ['Pressure', 'Pressure'],
    ['ns=2;s=Pump.Flow', 'Pump.Flow'],
    ['nsu=http://plant/;s=Line 1/Flow', 'Line 1_Flow'],
    ['http://microsoft.com/Opc/OpcPlc/#s=StepUp', 'StepUp'],
    ['i=2258', '2258'],
  ])('makes of %s the name %s', (node, name) => {
    expect(nameOf(node)).toBe(name);
  });
});
