# SPDX-License-Identifier: Apache-2.0
"""guest/locktool on a client: once, or as somebody who holds locks from one stage of a test to the next."""
import itertools

_names = itertools.count(1)


def tool(client, path, steps):
    """The words of locktool's STEPS on n/PATH."""
    return client.run(f"locktool n/{path} {steps}").split()


class Locker:
    """A locktool on CLIENT that does the steps of one STAGE after the other, each when it is told, and keeps what it has until the next."""

    def __init__(self, client, path, *stages):
        self.client, self.name, self.stage = client, f"locker{next(_names)}", 0
        steps = " ".join(f"{stage} event {self.name}-{i} until out/{self.name}-{i}" for i, stage in enumerate(stages))
        self.step = client.spawn(f"locktool n/{path} {steps}")

    def wait(self, timeout=60):
        """For the end of the stage it is in."""
        self.client.wait_event(lambda e: e == f"{self.name}-{self.stage}", timeout)
        return self

    def release(self):
        """Go on to the next stage, or to the end, with which all is unlocked."""
        self.client.write(f"{self.name}-{self.stage}", "")
        self.stage += 1
        return self

    def end(self, timeout=60):
        """After the last stage: all words that it said."""
        return self.release().step.wait(timeout).split()
