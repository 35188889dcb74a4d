"""A loop that does nothing but sleep until each of the times of a Poisson process: prints its timer error, ms at p99.

python -m tests.benchmarks.bare_loop RATE_PER_S SECONDS
"""

import sys
import time

import gevent
import numpy as np


def main(rate_per_s: float, seconds: float) -> float:
    """Return the 99th percentile of (woken - intended), ms."""
    offsets = np.cumsum(np.random.default_rng(1).exponential(1 / rate_per_s, int(rate_per_s * seconds)))
    start = time.monotonic() + 0.1
    errors = []
    for at in (start + offsets).tolist():
        left_s = at - time.monotonic()
        if left_s > 0:
            gevent.sleep(left_s)
        errors.append(time.monotonic() - at)
    return 1000 * float(np.quantile(errors, 0.99))


if __name__ == "__main__":
    print(main(float(sys.argv[1]), float(sys.argv[2])))
