#!/usr/bin/env python3
"""A TCP proxy that makes loopback as far away as a registry: PORT_FILE UPSTREAM_PORT RTT_MS.

Each direction is delayed by half a round trip, and what a new connection sends first by a whole
one, as its handshake would be. It writes the port that the kernel chose into PORT_FILE."""

import asyncio
import os
import sys
import time

port_file, upstream, round_trip = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]) / 1000


async def deliver(queue, writer):
    while True:
        due, data = await queue.get()
        wait = due - time.monotonic()
        if wait > 0:
            await asyncio.sleep(wait)
        try:
            if data is None:
                writer.write_eof()
                return
            writer.write(data)
            await writer.drain()
        except OSError:
            return


async def pump(reader, writer, delay, not_before):
    queue = asyncio.Queue(64)
    delivery = asyncio.create_task(deliver(queue, writer))
    while True:
        try:
            data = await reader.read(1 << 18)
        except OSError:
            data = b""
        await queue.put((max(time.monotonic(), not_before) + delay, data or None))
        if not data:
            break
    await delivery


async def connection(reader, writer):
    established = time.monotonic() + round_trip
    try:
        up_reader, up_writer = await asyncio.open_connection("127.0.0.1", upstream)
    except OSError:
        writer.close()
        return
    await asyncio.gather(pump(reader, up_writer, round_trip / 2, established),
                         pump(up_reader, writer, round_trip / 2, 0))
    up_writer.close()
    writer.close()


async def main():
    server = await asyncio.start_server(connection, "127.0.0.1", 0)
    with open(port_file + ".new", "w") as file:
        file.write(str(server.sockets[0].getsockname()[1]))
    os.rename(port_file + ".new", port_file)
    await server.serve_forever()


asyncio.run(main())
