/**
 * An MQTT broker over TLS with nothing behind it: aedes in memory. `node bare-broker.ts <key> <certificate>`, files in
 * PEM; prints its port.
 */
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:tls';
import { Aedes } from 'aedes';

const [key, cert] = process.argv.slice(2).map((file) => readFileSync(file));
const broker = await Aedes.createBroker();
const server = createServer({ key, cert }, broker.handle);
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port));
process.on('disconnect', () => process.exit(0));
