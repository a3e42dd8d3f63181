"""For all tests: the process state that they take for granted."""

import signal

# A shell starts background jobs (and some CI systems everything) with SIGINT ignored, which children inherit; the tests
# on Ctrl-C would wait for ever.  A handler of Python's own is reset to the default in the programs that tests start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
