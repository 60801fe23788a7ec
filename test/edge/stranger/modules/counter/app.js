'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { Message, ModuleClient } = require('azure-iot-device');
const { Mqtt } = require('azure-iot-device-mqtt');

const file = path.join(process.env.DATA_DIR, 'averages.jsonl');

ModuleClient.fromEnvironment(Mqtt, (error, client) => {
  if (error) throw error;
  client.on('error', () => {});
  client.open((failure) => {
    if (failure) process.exit(1);
    client.on('inputMessage', (input, message) => {
      const line = {
        input,
        body: JSON.parse(message.getData().toString('utf8')),
        level: message.properties.getValue('level'),
      };
      fs.appendFileSync(file, `${JSON.stringify(line)}\n`);
    });
    // POST a JSON array, and it goes to the averager.
    http
      .createServer((request, response) => {
        const chunks = [];
        request.on('data', (chunk) => chunks.push(chunk));
        request.on('end', () => {
          const message = new Message(Buffer.concat(chunks).toString('utf8'));
          message.contentType = 'application/json';
          message.contentEncoding = 'utf-8';
          client.sendOutputEvent('numbers', message, (problem) => {
            response.writeHead(problem ? 503 : 202);
            response.end();
          });
        });
      })
      .listen(Number(process.env.HTTP_PORT), process.env.HTTP_HOST, () => console.log('<6> ready'));
  });
});
