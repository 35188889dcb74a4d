"""A TCP proxy on edges between roles: `python -m tocsin.harness.sidecars.proxy --control PORT --edge NAME LISTEN HOST:PORT ...`.

It forwards as it is until told otherwise. The control port takes one JSON line per connection and answers with one:

    {"edge": "prometheus -> model", "set": {"delay_ms": 200}}    from now on so; everything not named is as at the start
    {"edge": "prometheus -> model"}                              tells conditions and counters, changes nothing

Loopback only, no root, standard library only: it also runs in a plain Python container.
"""
