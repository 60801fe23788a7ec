'use strict';

// A module as the SDK's own samples show it: nothing of Holdfast in it.
const { Message, ModuleClient } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

let decimals = 2;
let received = 0;

function connect() {
  ModuleClient.fromEnvironment(Mqtt, (error, client) => {
    if (error) throw error;
    client.on('error', (failure) => {
      console.error(`<3> ${failure.message}`);
    });
    client.open((failure) => {
      if (failure) {
        console.error(`<4> cannot connect yet: ${failure.message}`);
        process.exit(1);
      }
      client.on('inputMessage', (input, message) => {
        if (input === 'numbers') average(client, message);
        client.complete(message, () => {});
      });
      client.onMethod('received', (request, response) => {
        response.send(200, { received, asked: request.payload }, () => {});
      });
      client.getTwin((problem, twin) => {
        if (problem) throw problem;
        twin.on('properties.desired', (delta) => {
          if (delta.decimals === undefined) return;
          decimals = delta.decimals;
          twin.properties.reported.update({ decimals }, () => {});
        });
      });
      console.log('<6> connected');
    });
  });
}

function average(client, message) {
  const numbers = JSON.parse(message.getData().toString('utf8'));
  received += 1;
  const mean = numbers.reduce((sum, each) => sum + each, 0) / numbers.length;
  const answer = new Message(JSON.stringify({ mean: Number(mean.toFixed(decimals)) }));
  answer.contentType = 'application/json';
  answer.contentEncoding = 'utf-8';
  answer.properties.add('level', mean > 100 ? 'high' : 'low');
  client.sendOutputEvent('averages', answer, (failure) => {
    if (failure) console.error(`<3> ${failure.message}`);
  });
  console.log(`<7> averaged ${numbers.length} numbers`);
}

connect();
