const COLUMNS = Array.from({ length: 11 }, (_, column) => `value ->> ${column}`).join(', ');
/** One statement a message, so one transaction a message. With a key in the table a repeat is stored once. */
const INSERT = `INSERT OR IGNORE INTO readings SELECT ${COLUMNS} FROM json_each($rows)`;

/** Text of the function node. */
const SCORE = `
const readings = Array.isArray(msg.payload) ? msg.payload : [msg.payload];
msg.params = { $rows: JSON.stringify(await global.get('scorer').rowsOf(readings)) };
return msg;`;

/** Nodes by id: in, score, store, and for HTTP the two answers. */
export function flow(way: 'http' | 'mqtt', options: { database: string; port: number }): unknown[] {
  const node = (id: string, type: string, more: object): object => ({
    id,
    type,
    z: 'tab',
    ...more,
  });
  const score = node('score', 'function', { func: SCORE, outputs: 1, wires: [['store']] });
  const store = node('store', 'sqlite', {
    ...{ mydb: 'db', sqlquery: 'prepared', sql: INSERT },
    wires: [way === 'http' ? ['stored'] : []],
  });
  const shared = [
    { id: 'tab', type: 'tab', label: 'readings' },
    { id: 'db', type: 'sqlitedb', db: options.database, mode: 'RW' },
    score,
    store,
  ];
  if (way === 'mqtt') {
    const broker = { host: '127.0.0.1', port: String(options.port), autoConnect: true };
    return [
      ...shared,
      // As the editor creates it: a session that begins anew at each connection.
      { id: 'broker', type: 'mqtt-broker', broker: broker.host, ...broker, cleansession: true },
      node('in', 'mqtt in', {
        ...{ topic: 'readings', qos: '1', datatype: 'json', broker: 'broker', inputs: 0 },
        wires: [['score']],
      }),
    ];
  }
  return [
    ...shared,
    node('in', 'http in', { url: '/readings', method: 'post', wires: [['accept']] }),
    node('accept', 'change', {
      rules: [{ t: 'set', p: 'statusCode', pt: 'msg', to: '202', tot: 'num' }],
      wires: [['score']],
    }),
    node('stored', 'change', {
      rules: [{ t: 'delete', p: 'payload', pt: 'msg' }],
      wires: [['answer']],
    }),
    node('failed', 'catch', { scope: ['score', 'store'], wires: [['refuse']] }),
    node('refuse', 'change', {
      rules: [{ t: 'set', p: 'statusCode', pt: 'msg', to: '503', tot: 'num' }],
      wires: [['stored']],
    }),
    node('answer', 'http response', { wires: [] }),
  ];
}
