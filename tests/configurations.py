"""The hook configurations that every behaviour test runs in.  Add a configuration here, not copies of tests."""

#: As `--native=` takes them.  "none" is the specification, "all" what users run, the others each hook by itself, or all but
#: that one where it is in C only together with others.
CONFIGURATIONS = ["none", "waitq", "runq", "switch:private", "arena", "all,-spawn", "all,-channel", "all,-sched", "all"]

#: Run under plain python3 as well, where the C twins come from the importable module instead of the host's own.
PLAIN = ["none", "all"]

#: Under plain python3 from a copy of the package without the C module: what somebody has who only copies the Python files.
PURE = "none"
