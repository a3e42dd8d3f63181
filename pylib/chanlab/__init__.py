"""The layers behind `stackless` and `select_proto`, each a small Python module with a C twin.

hooks      which twin of each layer runs
links      what makes an object a member of a queue
runq       the scheduler's circular run queue                    (hook runq)
waitq      a channel's FIFO queues of waiters                    (hook waitq)
switch     changing from one tasklet's stack to another's        (hook switch)
sched      one scheduler per OS thread: switch, block, run, end  (hook sched)
tasklet    creation, binding, states, throw and kill             (hook spawn)
channel    the rendezvous: ready, post, withdraw, commit         (hook channel)
bomb       an exception travelling as a value
rng        the seeded generator behind select's choice
watchdog   run(timeout): nobody runs too long without giving way
timer      the watchdog's timer, shared with the program's own SIGALRM
watch      callbacks and trace, behind one test
report     who waits for what: deadlock notes
"""
