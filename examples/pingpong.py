"""Ping-pong: two tasklets and two channels, the plainest rendezvous there is.

usage: pingpong.py [ROUND_TRIPS]
"""

import sys

import stackless


def ping(to_pong, to_ping, round_trips):
    """Serve the ball, and hit it back as often as it comes."""
    touches = 0
    for _ in range(round_trips):
        to_pong.send(touches + 1)
        touches = to_ping.receive()
    print(f"{round_trips} round trips, {touches} touches of the ball")


def pong(to_pong, to_ping):
    """Hit back whatever comes."""
    while True:
        touches = to_pong.receive()
        to_ping.send(touches + 1)


def main(round_trips=100_000):
    to_ping, to_pong = stackless.channel(), stackless.channel()
    to_ping.label, to_pong.label = "to ping", "to pong"
    stackless.tasklet(ping)(to_pong, to_ping, round_trips).label = "ping"
    stackless.tasklet(pong)(to_pong, to_ping).label = "pong"
    stackless.run()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
