"""Print how many bytes of its C stack greenlet has copied for a tasklet that waits, and for a greenlet that does.

With the hook switch:greenlet what lies on the stack is copied at every switch, so the frames of our own must be small.
"""

from __future__ import annotations

import json

import greenlet
import stackless

kept = []


def wait(receive) -> None:
    kept.append(greenlet.getcurrent())
    receive()


def wait_plainly(switch) -> None:
    switch()


plain = greenlet.greenlet(wait_plainly)
plain.switch(greenlet.getcurrent().switch)
stackless.tasklet(wait)(stackless.channel().receive)
stackless.run()
print(json.dumps({"tasklet": kept[0]._stack_saved, "greenlet": plain._stack_saved}))
plain.switch()
