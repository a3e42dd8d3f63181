"""What a tasklet's C stack must survive, whichever switch runs: deep recursion, many stacks, guests, exceptions in flight.

Each is a program of its own, since a wrong stack crashes the interpreter.
"""

import pytest

DEEP = {
    "python": "def f(n): return f(n + 1)",
    "getattr": "class A:\n    def __getattr__(self, name): return getattr(self, name + 'x')\ndef f(n): A().x",
    "sorted": "def f(n): return sorted([1, 2], key=lambda x: f(n + 1))",
    "repr": "class R:\n    def __repr__(self): return repr([self])\ndef f(n): repr(R())",
    "map": "def f(n): return list(map(f, [n + 1]))",
    "compare": "class C:\n    def __eq__(self, other): return [self] == [C()]\ndef f(n): C() == 1",
    "init": "class I:\n    def __init__(self): I()\ndef f(n): I()",
    "json": "import json\ndef f(n):\n    x = []\n    for _ in range(100_000): x = [x]\n    json.dumps(x)",
}


@pytest.mark.parametrize("how", DEEP)
def test_runaway_recursion_is_a_recursion_error(script, how):
    """And the stack works on afterwards: the C stack is deep enough for what CPython allows."""
    out = script(
        "import stackless\n" + DEEP[how] + "\n"
        "def body(ch):\n"
        "    for _ in range(2):\n"
        "        try:\n"
        "            f(0)\n"
        "        except RecursionError:\n"
        "            print('refused', ch.receive())\n"
        "ch = stackless.channel()\n"
        "stackless.tasklet(body)(ch)\n"
        "stackless.run()\n"
        "ch.send(1)\n"
        "ch.send(2)\n"
        "stackless.run()\n"
        "print('end')\n"
    ).ok()
    assert out == "refused 1\nrefused 2\nend\n"


def test_parked_deep_down(script):
    """Hundreds of Python frames, and C calls between them, on both sides of the first chunk of frames."""
    out = script(
        """
        import stackless
        ch = stackless.channel()
        def down(n):
            if n:
                return down(n - 1) + 1 if n % 8 else max(map(down, [n - 1])) + 1
            return ch.receive()
        done = []
        for depth in (1, 50, 200, 400):
            stackless.tasklet(lambda d=depth: done.append(down(d)))()
        stackless.run()
        for value in (1000, 2000, 3000, 4000):
            ch.send(value)
        stackless.run()
        print(done)
        """
    ).ok()
    assert out == "[1001, 2050, 3200, 4400]\n"


def test_many_stacks(script):
    """20,000 at once, ended by a kill, by an error and by returning, in another order than they began."""
    out = script(
        """
        import stackless
        ch, ended = stackless.channel(), []
        def body(i):
            try:
                ended.append(ch.receive() + i)
            finally:
                ended.append(-1)
        tasks = [stackless.tasklet(body)(i) for i in range(20_000)]
        stackless.run()
        for t in tasks[::2]:
            t.kill()
        for _ in tasks[1::2]:
            ch.send(0)
        stackless.run()
        print(ch.balance, len(ended), sum(e for e in ended if e > 0), any(t.alive for t in tasks))
        """
    ).ok()
    assert out == f"0 30000 {sum(range(1, 20_000, 2))} False\n"


def test_guest_dropped_by_another_tasklet(script):
    """A greenlet that a tasklet has started and left behind: somebody else drops it, and its finally block runs."""
    out = script(
        """
        import gc, greenlet, stackless
        box = []
        def maker():
            def inner():
                try:
                    greenlet.getcurrent().parent.switch()
                finally:
                    print("finally")
            box.append(greenlet.greenlet(inner))
            box[0].switch()
            stackless.schedule_remove()
            print("maker ends")
        def dropper():
            box.clear()
            gc.collect()
        m = stackless.tasklet(maker)()
        stackless.run()
        stackless.tasklet(dropper)()
        stackless.run()
        m.insert()
        stackless.run()
        print("end")
        """
    ).ok()
    assert sorted(out.splitlines()) == ["end", "finally", "maker ends"]


def test_guest_that_outlives_its_tasklet(script):
    """Whatever becomes of it, nobody lands on a stack that is gone."""
    out = script(
        """
        import greenlet, stackless
        box = []
        def maker():
            def inner():
                try:
                    greenlet.getcurrent().parent.switch()
                finally:
                    box.append("over")
            box.append(greenlet.greenlet(inner))
            box[0].switch()
        stackless.tasklet(maker)()
        stackless.run()
        for _ in range(3):
            stackless.tasklet(len)([1])
        stackless.run()
        try:
            box[0].switch()
        except (RuntimeError, greenlet.error) as error:
            print("refused")
        print("over" in box or "not over", stackless.getcurrent().label)
        """
    ).ok()
    assert out.endswith("main\n")


@pytest.mark.parametrize("value", ["5", "'x'", "None", "ch", "stackless.tasklet(len)"])
@pytest.mark.parametrize(
    "name", ["_greenlet", "_stack", "_channel", "_tempval", "_alive", "_context", "_sched", "_offers", "_block_trap"]
)
def test_names_of_our_own_are_not_pointers(script, name, value):
    """Private attributes of a tasklet set to nonsense, or deleted, may break the program, but not the interpreter."""
    ended = script(
        f"""
        import stackless
        ch = stackless.channel()
        for way in (lambda t: setattr(t, "{name}", {value}), lambda t: delattr(t, "{name}")):
            for park in (lambda: ch.receive(), stackless.schedule):
                t = stackless.tasklet(park)()
                fresh = stackless.tasklet(park)()
                way(fresh)
                stackless.schedule()
                way(t)
                try:
                    t.kill()
                    ch.send(1)
                    stackless.run()
                except BaseException:
                    pass
        """,
    )
    assert ended.returncode >= 0, ended


def test_park_by_hand_or_torn(script):
    """What is noted of a stack that is about to be parked is forgotten when that does not come to pass."""
    ended = script(
        """
        import _thread, functools, gc, signal, sys, weakref
        import stackless
        gc.disable()
        class Interrupt(Exception): pass
        def handler(*args):
            raise Interrupt
        signal.signal(signal.SIGUSR1, handler)
        def park_by_hand(n):
            if n:
                park_by_hand(n - 1)
            else:
                stackless.getcurrent()._stack.park()
        def torn(n):
            if n:
                return torn(n - 1)
            def tracer(*args): pass
            # When the tracer dies, in park(), a signal is noted, whose handler runs as soon as Python code goes on.
            noted = functools.partial(next, map(_thread.interrupt_main, [signal.SIGUSR1]))
            refs.append(weakref.ref(tracer, noted))
            stackless.getcurrent()._stack.trace = tracer
            del tracer
            stackless.set_schedule_callback(lambda *args: None)  # so that the Python twin parks
            try:
                stackless.schedule()
                stackless.schedule()
            except Interrupt:
                print("torn")
            finally:
                stackless.set_schedule_callback(None)
        def fill(n, *args):
            return n and fill(n - 1, *args)
        def main(begin):
            begin(9)
            fill(40)
            fill(40, 1, 2, 3)
            stackless.schedule()
        refs = []
        for begin in park_by_hand, torn:
            t = stackless.tasklet(main)(begin)
            def look():
                for _ in range(6):
                    print(gc.get_referents(t._stack), file=sys.stderr)
                    gc.collect()
                    stackless.schedule()
            stackless.tasklet(look)()
            stackless.run()
            print("well")
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "well\ntorn\nwell\n"), ended
