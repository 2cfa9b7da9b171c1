"""Waiting for something that happens in another process."""

import time


def until(holds, seconds, what):
    """Polls `holds` and returns its first truthy value; fails with `what` once `seconds` have passed."""
    end = time.monotonic() + seconds
    while True:
        value = holds()
        if value:
            return value
        assert time.monotonic() < end, f"{what}: not within {seconds} seconds"
        time.sleep(0.05)
