"""The hook configurations that every behaviour test runs in.  Add a configuration here, not copies of tests."""

#: As `--native=` takes them.  "none" is the specification, "all" what users run, "all,switch:greenlet" what they run on
#: machines without private stacks; the others mix the twins.  .ci/run has more of these: this list is for the ten minutes
#: that somebody waits.
CONFIGURATIONS = ["none", "switch:private", "all,-select", "all,switch:greenlet", "all"]

#: Run under plain python3 as well, where the C twins come from the importable module instead of the host's own.
PLAIN = ["all"]

#: Under plain python3 from a copy of the package without the C module: what somebody has who only copies the Python files.
PURE = "none"
