#!/usr/bin/env python3
"""Compare the duration of failed sign-ins for known and unknown emails, which must be equal.

    TRUSTED_PROXY_COUNT=1 RATE_LIMIT_ANONYMOUS=off make run
    python benchmarks/sign_in_time.py --url http://127.0.0.1:8000

Registers a few accounts, then tries wrong passwords for known and unknown emails alternately, each from a new
(forwarded) address, so that the lockout does not interfere. Prints quantiles of both.
"""

import argparse
import itertools
import json
import random
import secrets
import statistics
import time
import urllib.error
import urllib.request
import uuid


def post(url: str, body: dict[str, str], address: str) -> tuple[int, float]:
    request = urllib.request.Request(url, json.dumps(body).encode(), method="POST")
    request.add_header("Content-Type", "application/json")
    request.add_header("X-Forwarded-For", address)
    started = time.perf_counter()
    try:
        with urllib.request.urlopen(request, timeout=30) as response:
            response.read()
            status = response.status
    except urllib.error.HTTPError as error:
        error.read()
        status = error.code
    return status, (time.perf_counter() - started) * 1000


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--url", default="http://127.0.0.1:8000")
    parser.add_argument("--rounds", type=int, default=200, help="sign-ins per kind (default: %(default)s)")
    options = parser.parse_args()
    api = f"{options.url}/api/v1/auth"
    addresses = (f"10.{a}.{b}.1" for a, b in itertools.product(range(256), range(256)))
    known = [f"{uuid.uuid4().hex}@example.com" for _ in range(20)]
    for email in known:
        status, _ = post(
            f"{api}/register", {"email": email, "password": secrets.token_urlsafe(24)}, next(addresses)
        )
        assert status == 201, status
    times: dict[str, list[float]] = {"known": [], "unknown": []}
    for _ in range(options.rounds):
        for kind in random.sample(sorted(times), k=2):
            email = random.choice(known) if kind == "known" else f"{uuid.uuid4().hex}@example.com"
            status, milliseconds = post(
                f"{api}/token", {"email": email, "password": "wrong"}, next(addresses)
            )
            assert status == 401, status
            times[kind].append(milliseconds)
    print(f"{'email':8} {'p5':>8} {'p25':>8} {'median':>8} {'p75':>8} {'p95':>8}   milliseconds")
    for kind, durations in times.items():
        quantiles = statistics.quantiles(durations, n=20)
        print(f"{kind:8} " + " ".join(f"{quantiles[index]:8.2f}" for index in (0, 4, 9, 14, 18)))


if __name__ == "__main__":
    main()
