"""Pushes or pulls a folder with ORAS, for oras.test.ts: move-with-oras.py push|pull <host> <repository:tag> <folder>."""

import os
import sys

import oras.client

verb, host, name, folder = sys.argv[1:]
client = oras.client.OrasClient(hostname=host, insecure=True)
if verb == "pull":
    client.pull(target=f"{host}/{name}", outdir=folder, overwrite=False)
else:
    os.chdir(folder)
    client.push(target=f"{host}/{name}", files=sorted(os.listdir(".")))
