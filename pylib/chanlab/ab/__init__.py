"""The A/B instrument: run a script on two sets of hooks, prove that it behaves alike, then say which is faster.

compare    the command `chanlab compare`, step by step
options    its command line
sides      how to start the script on one set of hooks
child      one run in a fresh process: exit code, wall time, CPU time
equality   output, exit code and trace of both sides, and whether the script repeats at all
diff       where two sequences of lines part, and how to show it                                  (pure)
plan       the order of the timed runs                                                            (pure)
timing     carrying out the plan
stats      medians, intervals, the noise floor, the verdict                                       (pure)
report     the text that the user reads                                                           (pure)
progress   one quiet line on a terminal
codes      exit codes
"""
