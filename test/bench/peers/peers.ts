import { holdfast } from './holdfast/holdfast.ts';
import { nodeRedPeers } from './node-red/node-red.ts';
import type { Peer } from './peer.ts';
import { pythonPeers } from './python/python.ts';
import { telegrafPeers } from './telegraf/telegraf.ts';

/** In the order of the table. */
export const PEERS: readonly Peer[] = [holdfast, ...pythonPeers, ...nodeRedPeers, ...telegrafPeers];
