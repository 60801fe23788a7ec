import { describe, expect, it } from '@jest/globals';
import { Accounts } from './accounts.ts';

/** A ledger that can be made to disagree with itself. */
function aLedger() {
  const stream = { appended: 10, receipted: 4, lost: 0 };
  const ledger = {
    total: 10,
    hidden: 0,
    stream,
    accepted: () => ledger.total,
    backlog: () => ({ readings: stream.appended - stream.receipted - ledger.hidden }),
    streams: [stream],
  };
  return ledger;
}

describe('Accounts', () => {
  it('hold while readings come in and receipts take them out', () => {
    const ledger = aLedger();
    const accounts = new Accounts(ledger);
    ledger.total += 5;
    ledger.stream.appended += 5;
    accounts.accepted(5);
    accounts.advanced(() => {
      ledger.stream.receipted = 12;
    });
    expect(accounts).toMatchObject({ hold: true, inFlight: 3, receipted: 12, lost: 0 });
  });

  it('hold over a new epoch that has lost damaged rows', () => {
    const ledger = aLedger();
    const accounts = new Accounts(ledger);
    accounts.advanced(() => Object.assign(ledger.stream, { appended: 4, receipted: 0, lost: 2 }));
    expect(accounts).toMatchObject({ hold: true, inFlight: 4, lost: 2, receipted: 4 });
  });

  it('do not hold when the journal took more than was counted', () => {
    const ledger = aLedger();
    const accounts = new Accounts(ledger);
    ledger.total += 5;
    ledger.stream.appended += 5;
    accounts.accepted(4);
    expect(accounts.hold).toBe(false);
  });

  it('do not hold when a row vanished from the backlog', () => {
    const ledger = aLedger();
    const accounts = new Accounts(ledger);
    ledger.hidden = 1;
    expect(accounts.hold).toBe(false);
  });
});
