#!/usr/bin/env python3
"""Measures a running `sensorium serve`: many streaming clients, a picture asked about twice, idle connections and memory.

    serving.py http://127.0.0.1:8080 PICTURE [--clients 32] [--tokens 64] [--rounds 3] [--pid PID]

Prints JSON. With --pid also the server's memory and descriptors, before and after 1,000 idle connections and 10,000 requests.
Needs nothing beyond Python.
"""
import argparse
import asyncio
import base64
import json
import os
import statistics
import time
import urllib.parse

import streaming

arguments = argparse.ArgumentParser()
arguments.add_argument("address")
arguments.add_argument("picture")
arguments.add_argument("--model", default="default")
arguments.add_argument("--clients", type=int, default=32)
arguments.add_argument("--tokens", type=int, default=64)
arguments.add_argument("--rounds", type=int, default=3)
arguments.add_argument("--idle", type=int, default=1000, help="0: no idle connections, no requests in a row")
arguments.add_argument("--requests", type=int, default=10000)
arguments.add_argument("--pid", type=int)
options = arguments.parse_args()
url = urllib.parse.urlsplit(options.address)


async def connect():
    return await asyncio.open_connection(url.hostname, url.port)


async def post(reader, writer, path, body):
    data = json.dumps(body).encode()
    writer.write(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data)
    await writer.drain()


def crowd(clients, tokens, round_):
    # No end token before the last: every client gets the same number.
    schema = {"type": "json_schema", "json_schema": {"schema": {"type": "string", "minLength": 6 * tokens}}}
    return streaming.figures(options.address, [
        {"model": options.model, "max_tokens": tokens, "response_format": schema,
         "messages": [{"role": "user", "content": f"Question {round_}.{i}: what do you see?"}]} for i in range(clients)])


def one_and_many():
    """By turns, every question another; of one client the median of five, whose time is short. The first round warms up."""
    rounds = []
    for round_ in range(options.rounds + 1):
        ones = [crowd(1, options.tokens, f"{round_}.{i}") for i in range(5)]
        one = sorted(ones, key=lambda figures: figures["tokens_per_s"])[2]
        many = crowd(options.clients, options.tokens, round_)
        rounds.append({"one_client": one, "crowd": many, "crowd_over_one": many["tokens_per_s"] / one["tokens_per_s"]})
    return rounds[1:]


async def first_token_of_picture(data, question):
    reader, writer = await connect()
    start = time.perf_counter()
    await post(reader, writer, "/v1/chat/completions", {"model": options.model, "max_tokens": 1, "messages": [{"role": "user", "content": [
        {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64," + data}}, {"type": "text", "text": question}]}]})
    status = int((await reader.readline()).split()[1])
    assert status == 200, status
    seconds = time.perf_counter() - start
    writer.close()
    return seconds


async def repeated_picture():
    """The first time in this server's life, then other questions about the same picture."""
    data = base64.b64encode(open(options.picture, "rb").read()).decode()
    seconds = [await first_token_of_picture(data, f"How many people wear a helmet? ({i})") for i in range(6)]
    again = statistics.median(seconds[1:])
    return {"first_ms": 1e3 * seconds[0], "again_ms": 1e3 * again, "again_over_first": again / seconds[0]}


def memory():
    if not options.pid:
        return None
    status = open(f"/proc/{options.pid}/status").read()
    return {"rss_kb": int(status.split("VmRSS:")[1].split()[0]), "descriptors": len(os.listdir(f"/proc/{options.pid}/fd"))}


async def health(reader, writer):
    writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    await writer.drain()
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    await reader.readexactly(length)
    return int(head.split()[1])


async def idle_and_many():
    await many(200)
    before = memory()
    idle = [await connect() for _ in range(options.idle)]
    with_idle = memory()
    start = time.perf_counter()
    await many(options.requests)
    seconds = time.perf_counter() - start
    for _, writer in idle:
        writer.close()
    await asyncio.sleep(1)
    return {"requests_per_s": options.requests / seconds, "before": before, "with_idle": with_idle, "after": memory()}


async def many(requests):
    async def some(count):
        reader, writer = await connect()
        for i in range(count):
            assert await health(reader, writer) == 200
            if i % 10 == 9:  # ten requests a connection
                writer.close()
                reader, writer = await connect()
        writer.close()
    await asyncio.gather(*(some(requests // 20) for _ in range(20)))


async def main():
    result = {"picture": await repeated_picture()}
    result["rounds"] = one_and_many()
    if options.idle > 0:
        result["idle"] = await idle_and_many()
    print(json.dumps(result, indent=2))


asyncio.run(main())
