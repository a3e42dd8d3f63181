"""A signal handler that raises, wherever CPython may run it inside the core: nothing is half done.

CPython handles signals when a function begins and when a C function returns. A profile function sends the process a
SIGINT at the n-th such moment inside the package, for n = 1, 2, 3, ...; the KeyboardInterrupt may come out anywhere in
the program, but afterwards the scheduler must be in order.
"""

import sys

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")

PROGRAMS = {
    "schedule": "run()",
    "send": "tasklet(ch.send)(1); ch.receive()",
    "receive": "tasklet(ch.receive)(); ch.send(1)",
    "select": "tasklet(stackless.select)([ch.receiveCase(), other.sendCase(1)]); schedule(); other.receive()",
    "kill": "victim.kill()",
    "throw": "victim.throw(ValueError)",
    "nested": "tasklet(lambda: (tasklet(schedule)(), run()))(); run()",
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_interrupted_anywhere(script, name):
    ended = script(
        f"""
        import os, signal, sys
        import stackless
        from stackless import channel, getcurrent, getmain, getruncount, run, schedule, schedule_remove, tasklet

        PACKAGE = os.path.dirname(os.path.abspath(stackless.__file__))
        OURS = (os.path.join(PACKAGE, "chanlab"), os.path.join(PACKAGE, "stackless.py"),
                os.path.join(PACKAGE, "select_proto.py"))

        def program():
            victim = tasklet(lambda: schedule_remove(None))()
            run()
            tasklet(lambda: (schedule(), schedule()))()
            try:
                {PROGRAMS[name]}
            except ValueError:
                pass
            run()

        def attempt(at):
            lines = 0
            fired = False
            def profiler(frame, event, arg):
                nonlocal lines, fired
                if event in ("call", "c_return") and not fired and frame.f_code.co_filename.startswith(OURS):
                    lines += 1
                    if lines == at:
                        fired = True
                        sys.setprofile(None)
                        os.kill(os.getpid(), signal.SIGINT)
            sys.setprofile(profiler)
            try:
                program()
            except KeyboardInterrupt:
                pass
            finally:
                sys.setprofile(None)
            return fired

        ch, other = channel(), channel()
        at, broken = 1, []
        while True:
            pid = os.fork()
            if pid == 0:
                code = 1
                signal.alarm(10)  # for one that hangs; nothing is measured
                try:
                    fired = attempt(at)
                    assert getcurrent() is getmain(), "main is not current"
                    for _ in range(5):
                        try:
                            run()
                        except ValueError:  # the one thrown at the victim, which came to its turn only now
                            pass
                    assert getruncount() == 1, "somebody is left in the ring"
                    got = []
                    tasklet(got.append)("works")
                    schedule()
                    assert got == ["works"], got
                    fresh = channel()
                    tasklet(fresh.send)("too")
                    assert fresh.receive() == "too"
                    code = 0 if fired else 7
                except BaseException as error:
                    print(at, type(error).__name__, error, flush=True)
                finally:
                    os._exit(code)
            code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            if code == 7:
                break
            if code:
                broken.append(at)
                if code < 0:
                    print(at, "crashed or hung", code, flush=True)
                if code < 0 or len(broken) == 10:
                    break
            at += 1
        sys.exit(bool(broken))
        """
    )
    assert ended.returncode == 0, f"line number, what came of it:\n{ended.stdout[-1500:]}{ended.stderr[-1500:]}"


def test_handler_that_uses_channels_while_its_thread_waits(script):
    """It is refused: its tasklet is half parked.  Nothing is lost."""
    ended = script(
        """
        import signal, stackless, threading
        ch = stackless.channel()
        waiting = threading.Event()
        def handler(*args):
            try:
                ch.send("from the handler")
            except RuntimeError:
                waiting.set()
        signal.signal(signal.SIGALRM, handler)
        def other():
            waiting.wait()
            ch.send("from the thread")
        threading.Thread(target=other).start()
        signal.setitimer(signal.ITIMER_REAL, 0.01, 0.05)
        try:
            print(ch.receive())
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        """
    )
    assert ended.ok() == "from the thread\n"
