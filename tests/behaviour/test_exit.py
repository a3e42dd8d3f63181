"""Ways to end a program: exit code, output, complaints, and whose finally blocks run."""

import signal
import sys

import pytest

START = """
import atexit, gc, os, signal, sys, threading
gc.disable()  # nobody refers to some of these tasklets: it would kill them whenever it comes
import stackless
from stackless import channel, getcurrent, getmain, run, schedule, schedule_remove, tasklet

def say(*words):
    print(*words, flush=True)

def waits(name, how=schedule_remove):
    try:
        how()
    finally:
        say(name, "finally")

ch = channel()
"""

LIVE = """
live = [
    tasklet(waits)("paused"),
    tasklet(waits)("receives", ch.receive),
    tasklet(waits)("selects", lambda: stackless.select([channel().receiveCase(), channel().sendCase(1)])),
]
run()
live.append(tasklet(waits)("scheduled", lambda: [schedule() for _ in range(100)]))
schedule()
"""


@pytest.fixture
def ends(script):
    """ends(source) runs START and the source; returns (exit code, lines of stdout, stderr)."""

    def run(source, **settings):
        import textwrap

        ended = script(START + textwrap.dedent(source), **settings)
        return ended.returncode, ended.stdout.splitlines(), ended.stderr

    return run


def all_finally(lines):
    return sorted(line.split()[0] for line in lines if line.endswith(" finally"))


EVERYBODY = ["paused", "receives", "scheduled", "selects"]


def test_normal(ends):
    code, out, err = ends("tasklet(say)('ran')\nrun()\nsay('end')")
    assert (code, out, err) == (0, ["ran", "end"], "")


def test_unfinished_tasklets(ends):
    code, out, err = ends(LIVE + "say('end of main')")
    assert (code, err) == (0, "")
    assert out[0] == "end of main"
    assert all_finally(out) == EVERYBODY


def test_never_started_ones_never_run(ends):
    code, out, err = ends("t = tasklet(waits)('no')\nu = tasklet(waits, ('no',))\nsay('end')")
    assert (code, out, err) == (0, ["end"], "")


def test_exception_in_main(ends):
    code, out, err = ends(LIVE + "raise KeyError('k')")
    assert code == 1
    assert all_finally(out) == EVERYBODY
    assert err.splitlines()[-1] == "KeyError: 'k'"


def test_exception_in_a_tasklet(ends):
    code, out, err = ends(
        LIVE
        + """
def fails():
    raise KeyError('k')

tasklet(fails)()
run()
"""
    )
    assert code == 1
    assert err.splitlines()[-1] == "KeyError: 'k'"
    assert "in fails" in err
    assert all_finally(out) == EVERYBODY


@pytest.mark.parametrize(
    ("argument", "code", "err"),
    [("", 0, ""), ("3", 3, ""), ("'text'", 1, "text\n"), ("None", 0, ""), ("256 + 7", 7, "")],
)
@pytest.mark.parametrize("where", ["main", "tasklet"])
def test_sys_exit(ends, where, argument, code, err):
    call = f"sys.exit({argument})" if where == "main" else f"tasklet(lambda: sys.exit({argument}))(); run()"
    got = ends(LIVE + call)
    assert (got[0], got[2]) == (code, err)
    assert all_finally(got[1]) == EVERYBODY


def test_sys_exit_in_a_tasklet_while_main_receives(ends):
    code, _, err = ends("tasklet(lambda: sys.exit(4))()\nch.receive()")
    assert (code, err) == (4, "")


def test_os_exit(ends):
    code, out, err = ends(LIVE + "say('end')\nos._exit(5)")
    assert (code, out, err) == (5, ["end"], "")


def test_os_exit_in_a_tasklet(ends):
    code, out, err = ends("tasklet(lambda: os._exit(6))()\nrun()")
    assert (code, out, err) == (6, [], "")


def test_deadlock(ends):
    code, out, err = ends("t = tasklet(waits)('receives', ch.receive)\nt.label = 'clerk'\nrun()\nch.receive()")
    assert code == 1
    assert out == ["receives finally"]
    assert "RuntimeError: Deadlock: the last runnable tasklet cannot be blocked." in err
    assert "clerk receives from c1, script.py:" in err


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("where", ["main", "tasklet", "schedule loop", "while main receives"])
def test_sigint(ends, where):
    raises = "lambda: os.kill(os.getpid(), signal.SIGINT)"
    call = {
        "main": f"({raises})()",
        "tasklet": f"tasklet({raises})(); run()",
        "schedule loop": f"tasklet(lambda: [schedule() for _ in range(10)])(); tasklet({raises})(); run()",
        "while main receives": f"tasklet({raises})(); ch.receive()",
    }[where]
    code, out, err = ends(LIVE + call)
    assert code in (-signal.SIGINT, 130)
    assert err.splitlines()[-1] == "KeyboardInterrupt"
    assert all_finally(out) == EVERYBODY


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_sigterm(ends):
    code, out, _ = ends(LIVE + "os.kill(os.getpid(), signal.SIGTERM)")
    assert code in (-signal.SIGTERM, 143)
    assert out == []


def test_keyboard_interrupt_can_be_caught(ends):
    code, out, err = ends(
        LIVE
        + """
tasklet(lambda: os.kill(os.getpid(), signal.SIGINT))()
try:
    run()
except KeyboardInterrupt:
    say("caught")
tasklet(say)("goes on")
run()
"""
    )
    assert (code, err) == (0, "")
    assert "caught" in out
    assert "goes on" in out


def test_atexit_handlers_can_use_tasklets(ends):
    code, out, err = ends(
        """
        def last():
            tasklet(ch.send)("value")
            say("atexit", ch.receive())
        atexit.register(last)
        tasklet(waits)("paused")
        run()
        """
    )
    assert (code, err) == (0, "")
    assert out == ["atexit value", "paused finally"]


def test_atexit_handler_registered_before(ends):
    """It runs after the tasklets have been killed."""
    code, out, err = ends("t = tasklet(waits)('paused')\nrun()\nsay('end')")
    assert (code, out, err) == (0, ["end", "paused finally"], "")


def test_daemon_thread(ends):
    code, out, err = ends(
        LIVE
        + """
def forever():
    c = channel()
    tasklet(waits)("daemon", c.receive)
    while True:
        run()
        ready.set()
        threading.Event().wait()

ready = threading.Event()
threading.Thread(target=forever, daemon=True).start()
ready.wait()
say("end of main")
"""
    )
    assert code == 0
    assert "Fatal" not in err
    assert [name for name in all_finally(out) if name != "daemon"] == EVERYBODY


def test_thread_that_ends_later(ends):
    code, out, err = ends(
        """
        def work():
            go.wait()
            c = channel()
            tasklet(c.send)("late")
            say(c.receive())
        go = threading.Event()
        threading.Thread(target=work).start()
        threading._register_atexit(go.set) if hasattr(threading, "_register_atexit") else go.set()
        say("end of main")
        """
    )
    assert (code, err) == (0, "")
    assert sorted(out) == ["end of main", "late"]


IN_FINALLY = {
    "schedules": "schedule()",
    "schedules often": "[schedule() for _ in range(5)]",
    "pauses": "schedule_remove()",
    "receives": "ch.receive()",
    "selects": "stackless.select([ch.receiveCase()])",
    "runs": "run()",
    "starts another": "tasklet(say)('another'); schedule()",
    "kills another": "[t.kill() for t in ts]",
    "kills itself": "getcurrent().kill()",
    "talks to another": "tasklet(ch.send)('v'); say(ch.receive())",
    "switches to main": "getmain().switch()",
    "throws at main": "getmain().throw(KeyError, 'at main')",
    "raises": "raise ValueError('in finally')",
    "exits": "sys.exit(9)",
    "interrupts": "raise KeyboardInterrupt",
}


@pytest.mark.parametrize("what", IN_FINALLY)
def test_finally_that(ends, what):
    """Whatever it does, the others' finally blocks run, too, and the program ends with its own exit code."""
    code, out, err = ends(
        f"""
        def stubborn(name):
            try:
                schedule_remove()
            finally:
                say(name, "finally")
                {IN_FINALLY[what]}
        ts = [tasklet(stubborn)(name) for name in ("first", "second")] + [tasklet(waits)("third")]
        run()
        say("end of main")
        sys.exit(3)
        """
    )
    assert code == 3
    assert "Fatal" not in err
    assert out[0] == "end of main"
    assert all_finally(out) == ["first", "second", "third"]
    if what not in ("raises", "exits", "interrupts", "throws at main"):
        assert err == ""


def test_tasklet_that_refuses_to_die(ends):
    """It is given up after some attempts."""
    code, out, err = ends(
        """
        def immortal():
            while True:
                try:
                    schedule_remove()
                except TaskletExit:
                    say("no")
        tasklet(immortal)()
        tasklet(waits)("mortal")
        run()
        """
    )
    assert code == 0
    assert 1 <= out.count("no") <= 20
    assert "mortal finally" in out
    assert "Fatal" not in err


def test_ends_inside_a_tasklet_that_main_switched_to(ends):
    """Main is paused for good; when the others are done it comes back."""
    code, out, err = ends(
        """
        tasklet(lambda: say("other"))()
        say(schedule_remove("main is back"))
        """
    )
    assert (code, out, err) == (0, ["other", "main is back"], "")


def test_main_killed_by_a_tasklet(ends):
    code, out, err = ends(LIVE + "tasklet(getmain().kill)()\nrun()\nsay('not reached')")
    assert (code, err) == (0, "")
    assert "not reached" not in out
    assert all_finally(out) == EVERYBODY


def test_deep_recursion(ends):
    code, out, err = ends(
        """
        def deep():
            deep()
        tasklet(waits)("paused")
        run()
        tasklet(deep)()
        run()
        """
    )
    assert code == 1
    assert err.splitlines()[-1].startswith("RecursionError")
    assert out == ["paused finally"]


def test_exit_deep_inside(ends):
    """main ends from a deep stack, with tasklets suspended on deep stacks."""
    code, out, err = ends(
        """
        def deep(n, then):
            return deep(n - 1, then) if n else then()
        for i in range(20):
            tasklet(deep)(500, lambda: waits("paused"))
        run()
        deep(500, lambda: sys.exit(2))
        """
    )
    assert (code, err) == (2, "")
    assert len(all_finally(out)) == 20


def test_traps_do_not_keep_the_finally_blocks_from_running(ends):
    code, out, err = ends(LIVE + "stackless.switch_trap(1)\ngetmain().block_trap = True")
    assert (code, err) == (0, "")
    assert all_finally(out) == EVERYBODY


def test_callbacks_in_force_at_the_end(ends):
    code, out, err = ends(
        LIVE
        + """
stackless.set_schedule_callback(lambda prev, next: None)
stackless.set_channel_callback(lambda *args: None)
stackless.set_error_handler(lambda *args: None)
"""
    )
    assert (code, err) == (0, "")
    assert all_finally(out) == EVERYBODY


def test_globals_are_still_there_in_finally(ends):
    code, out, err = ends(
        """
        value = "still here"
        class Thing:
            def __del__(self):
                say("del", value)
        def f():
            thing = Thing()
            try:
                schedule_remove()
            finally:
                say(value, sys is not None, os.getpid() > 0)
        tasklet(f)()
        run()
        """
    )
    assert (code, err) == (0, "")
    assert out == ["still here True True", "del still here"]


def test_fork(ends):
    """The child's copy of a tasklet ends like the original: each runs its finally block once."""
    code, out, err = ends(
        """
        tasklet(waits)("paused")
        run()
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            say("parent")
        else:
            say("child")
        """
    )
    assert (code, err) == (0, "")
    assert out == ["child", "paused finally", "parent", "paused finally"]


def test_nothing_imported_nothing_done(script):
    assert script("import stackless").ok() == ""


def test_exit_while_main_is_inside_run(ends):
    """sys.exit in a nested run reaches the innermost caller of run(), and from there main."""
    code, out, err = ends(
        LIVE
        + """
def outer():
    tasklet(lambda: sys.exit(8))()
    try:
        run()
    finally:
        say("outer left run")
tasklet(outer)()
run()
"""
    )
    assert (code, err) == (8, "")
    assert "outer left run" in out
    assert all_finally(out) == EVERYBODY
