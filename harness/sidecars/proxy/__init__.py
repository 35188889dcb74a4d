"""A TCP proxy on edges between roles.

    python -m tocsin.harness.sidecars.proxy --control PORT --edge NAME LISTEN HOST:PORT ...

It forwards everything unchanged until conditions are set. The control port takes one JSON line per connection and
answers with one:

    {"edge": "prometheus -> model", "set": {"delay_ms": 200}}    sets conditions; those not named get their defaults
    {"edge": "prometheus -> model"}                              returns conditions and counters, changes nothing

No root, standard library only: it also runs in a plain Python container.
"""
