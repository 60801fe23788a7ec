"""POST /readings: a reading or a list of them; 202 once they are scored and stored. Arguments: port, model, database, default or durable."""

import asyncio
import sys

from aiohttp import web

from scoring import Model
from store import GroupStore, PlainStore

port, model_file, database, configuration = sys.argv[1:]
model = Model(model_file)


def readings_of(body):
    return body if isinstance(body, list) else [body]


def default_handler():
    store = PlainStore(database)

    async def handle(request):
        store.add(model.rows(readings_of(await request.json())))
        return web.Response(status=202)

    return handle


def durable_handler():
    store = GroupStore(database, model)

    async def handle(request):
        readings = readings_of(await request.json())
        loop = asyncio.get_running_loop()
        stored = loop.create_future()

        def settle(error):
            if not stored.done():
                stored.set_result(error)

        store.add(readings, lambda error: loop.call_soon_threadsafe(settle, error))
        error = await stored
        if error is None:
            return web.Response(status=202)
        print(error, flush=True)
        return web.Response(status=503, headers={"Retry-After": "1"})

    return handle


app = web.Application(client_max_size=8 << 20)
app.router.add_post("/readings", durable_handler() if configuration == "durable" else default_handler())
web.run_app(app, host="127.0.0.1", port=int(port), access_log=None, print=None)
