#!/usr/bin/env python3
"""Runs the official clients of OpenAI (openai) and Google (google-genai) unchanged against a server, and Ollama's routes.

    clients.py http://127.0.0.1:8080 default examples/site.jpg [--key KEY] [--embedder NAME]
               [--hearer NAME --sound FILE.wav [FILE.m4a ...]] [--watcher NAME --film FILE.mp4]

Prints a line per check and how many there were. Checks of embeddings, of sound and of films run where a model is named that can do
that. Exit code 0: all hold; 1: one does not; 77: a client is not installed.
"""
import sys
import traceback

import common
import gemini
import ollama
import openai_chat
import openai_more

failures = 0
for function in common.checks:
    try:
        function()
        print(f"ok    {function.__name__}")
    except Exception:  # every check is to be told of
        failures += 1
        print(f"FAIL  {function.__name__}")
        traceback.print_exc(file=sys.stdout)
print(f"{len(common.checks) - failures} of {len(common.checks)} checks hold")
sys.exit(1 if failures else 0)
