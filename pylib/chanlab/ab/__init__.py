"""The A/B instrument: prove that two things behave alike, then say which is faster.

compare    the command `chanlab compare`, step by step
options    its command line
sides      what is compared, and how to start it: hooks, commands, functions
callee     the process that calls a function
child      one run in a fresh process: exit code, wall time, CPU time
equality   output, exit code and trace of both sides, and whether the program repeats at all
diff       where two sequences of lines part, and how to show it                                  (pure)
plan       the order of the timed runs, and when there are enough                                 (pure)
timing     carrying out the plan
stats      medians, intervals, the noise floor, the verdict                                       (pure)
gate       --fail-if, and what has changed since a baseline                                       (pure)
count      instructions, by valgrind
metadata   the machine and the software
result     all that was found
report     the text that the user reads                                                           (pure)
table      its tables
markdown   the same for a merge request                                                           (pure)
page       the same as a page, with the charts of svg                                             (pure)
store      the times in pyperf's format
outputs    the files that are written
progress   a bar on a terminal
codes      exit codes
"""
