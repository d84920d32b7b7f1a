"""One request with aiohttp, which reads proxy variables only when trust_env is on: METHOD URL [BODY]."""

import asyncio
import sys

import aiohttp


async def main(method, url, body=None):
    async with aiohttp.ClientSession(trust_env=True) as session:
        async with session.request(method, url, data=body) as response:
            await response.read()
            print(response.status)


asyncio.run(main(*sys.argv[1:]))
