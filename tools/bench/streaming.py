"""Many streaming clients of one server, made to cost little beside it: one thread with epoll, which while the clock runs does nothing
but note when bytes came. What they say is read afterwards. Needs nothing beyond Python."""
import bisect
import json
import re
import select
import socket
import statistics
import time
import urllib.parse

CONTENT = re.compile(rb'"content": ?"[^"]')  # of a first delta: a role comes with empty content


class Client:
    """One request to /v1/chat/completions and what came back."""

    def __init__(self, address, body):
        url = urllib.parse.urlsplit(address)
        data = json.dumps(body | {"stream": True, "stream_options": {"include_usage": True}}).encode()
        self.request = (f"POST /v1/chat/completions HTTP/1.1\r\nHost: {url.netloc}\r\nContent-Type: application/json\r\n"
                        f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n").encode() + data
        self.socket = socket.create_connection((url.hostname, url.port))
        self.times, self.pieces = [], []

    def send(self):
        self.start = time.perf_counter()
        self.socket.sendall(self.request)

    def read(self):
        """When the clock has stopped: first_s and end_s since the request, tokens, prompt_tokens. Raises ValueError."""
        answer = b"".join(self.pieces)
        status = answer[:12]
        if not status.endswith(b" 200"):
            raise ValueError(answer[:300].decode(errors="replace"))
        events = re.findall(rb"^data: (.*?)\r?$", answer, re.MULTILINE)
        content = CONTENT.search(answer)
        if not content or not events or events[-1] != b"[DONE]":
            raise ValueError(f"the stream is incomplete, its last event is {events[-1:]}")
        usage = next(usage for event in reversed(events[:-1]) if (usage := json.loads(event).get("usage")))
        ends = [0]
        for piece in self.pieces:
            ends.append(ends[-1] + len(piece))
        self.first_s = self.times[bisect.bisect_left(ends, content.end()) - 1] - self.start
        self.end_s = self.times[-1] - self.start
        self.tokens, self.prompt_tokens = usage["completion_tokens"], usage["prompt_tokens"]


def run(address, bodies):
    """All requests at once. Returns the clients that were answered, the errors' texts, and the seconds of all."""
    clients = [Client(address, body) for body in bodies]
    poll = select.epoll()
    start = time.perf_counter()
    for client in clients:
        client.send()
        poll.register(client.socket, select.EPOLLIN)
    open_clients = {client.socket.fileno(): client for client in clients}
    while open_clients:
        for descriptor, _ in poll.poll():
            client = open_clients[descriptor]
            piece = client.socket.recv(1 << 16)
            if piece:
                client.times.append(time.perf_counter())
                client.pieces.append(piece)
            else:
                poll.unregister(descriptor)
                del open_clients[descriptor]
    seconds = time.perf_counter() - start
    good, errors = [], []
    for client in clients:
        client.socket.close()
        try:
            client.read()
            good.append(client)
        except ValueError as error:
            errors.append(str(error))
    return good, errors, seconds


def figures(address, bodies):
    clients, errors, seconds = run(address, bodies)
    if not clients:
        raise SystemExit(f"{address}: {errors[0]}")
    firsts, ends = sorted(client.first_s for client in clients), [client.end_s for client in clients]
    return {"clients": len(bodies), "errors": len(errors), "tokens_per_s": sum(client.tokens for client in clients) / seconds,
            "slowest_over_median": max(ends) / statistics.median(ends), "first_median_s": statistics.median(firsts),
            "first_p95_s": firsts[round(0.95 * (len(firsts) - 1))], "first_most_s": firsts[-1],
            "prompt_tokens": statistics.median(client.prompt_tokens for client in clients)}
