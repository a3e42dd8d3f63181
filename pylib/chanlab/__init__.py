"""The layers behind `stackless` and `select_proto`, each a small Python module with a C twin.

hooks      which twin of each layer runs
links      what makes an object a member of a queue
runq       the scheduler's circular run queue                    (hook runq)
waitq      a channel's FIFO queues of waiters                    (hook waitq)
switch     changing from one tasklet's stack to another's        (hook switch)
sched      one scheduler per OS thread: switch, block, run, end  (hook sched)
started    which tasklets have started and not ended
tasklet    creation, binding, states, throw and kill             (hook spawn)
channel    the rendezvous: ready, post, withdraw, commit         (hook channel)
bomb       an exception travelling as a value
rng        the seeded generator behind select's choice
watchdog   run(timeout): nobody runs too long without giving way
timer      the watchdog's timer, shared with the program's own SIGALRM
watch      callbacks and trace, behind one test
clock      what wakes tasklets from outside: time, descriptors, other threads' results
core       what the fused core in C has to know of the others
report     who waits for what: deadlock notes
"""

import os as _os

_HERE = _os.path.dirname(_os.path.abspath(__file__))

#: The public modules, beside this package.
MODULES = ("stackless.py", "select_proto.py", "gochan.py", "waits.py")
#: What the file names of our own code begin with: its frames are not the user's.
OWN_FILES = (_HERE + _os.sep, *(_os.path.join(_os.path.dirname(_HERE), name) for name in MODULES))
