"""Subscribes to `readings`, scores and stores. Arguments: port of the broker, model, database, default or durable."""

import json
import sys

import paho.mqtt.client as mqtt

from scoring import Model
from store import GroupStore, PlainStore

port, model_file, database, configuration = sys.argv[1:]
model = Model(model_file)


def readings_of(message):
    body = json.loads(message.payload)
    return body if isinstance(body, list) else [body]


def default_client():
    """As in the library's own examples: a new session at each start; a message is acknowledged when on_message returns."""
    store = PlainStore(database)
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.on_message = lambda _client, _data, message: store.add(model.rows(readings_of(message)))
    return client


def durable_client():
    """A session that the broker keeps, and each message acknowledged only after its commit."""
    store = GroupStore(database, model)
    client = mqtt.Client(
        mqtt.CallbackAPIVersion.VERSION2, client_id="scorer", clean_session=False, manual_ack=True
    )

    def on_message(_client, _data, message):
        def done(error):
            if error is None:
                client.ack(message.mid, message.qos)
            else:
                # Ends this process: the broker sends what has no acknowledgement again only to a new connection.
                print(error, flush=True)
                client.disconnect()

        store.add(readings_of(message), done)

    client.on_message = on_message
    return client


client = durable_client() if configuration == "durable" else default_client()
client.on_connect = lambda client, *_: client.subscribe("readings", qos=1)
client.reconnect_delay_set(1, 5)
client.connect("127.0.0.1", int(port))
client.loop_forever(retry_first_connection=True)
