"""Threads: a scheduler for each, and channels between them."""

import threading

import stackless
from stackless import channel, getcurrent, getmain, getruncount, run, schedule, tasklet


def in_thread(func):
    """What func() returns in a thread of its own; what it raises is raised here."""
    result = []

    def body():
        try:
            result.append((func(), None))
        except BaseException as error:
            result.append((None, error))

    thread = threading.Thread(target=body)
    thread.start()
    thread.join()
    value, error = result[0]
    if error is not None:
        raise error
    return value


def test_each_thread_has_its_own_main():
    mains = [getmain(), in_thread(getmain), in_thread(getmain)]
    assert len(set(map(id, mains))) == 3
    assert in_thread(lambda: getcurrent() is getmain())
    assert in_thread(getruncount) == 1
    assert in_thread(lambda: stackless.getcurrentid() == threading.get_ident())


def test_ring_is_the_threads_own():
    got = []
    tasklet(got.append)("mine")

    def other():
        tasklet(got.append)("other")
        run()
        return list(got)

    assert in_thread(other) == ["other"]
    run()
    assert got == ["other", "mine"]


def test_thread_id():
    t, ident = in_thread(lambda: (tasklet(schedule), threading.get_ident()))
    assert t.thread_id in (ident, -1)
    assert tasklet(schedule).thread_id == threading.get_ident()


def test_errors_stay_in_their_thread():
    def other():
        def fails():
            raise KeyError("k")

        tasklet(fails)()
        try:
            run()
        except KeyError as error:
            return error.args

    assert in_thread(other) == ("k",)


def test_many_threads_at_work():
    def work(n):
        ch, out, got = channel(), channel(), []

        def stage():
            for _ in range(n):
                got.append(stackless.select([ch.receiveCase(), out.receiveCase()]).value)
                schedule()

        tasklet(stage)()
        tasklet(ch.send_sequence)(range(n))
        run()
        assert got == list(range(n))
        results.append(n)

    results = []
    threads = [threading.Thread(target=work, args=(100 + i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == list(range(100, 108))


def test_switch_trap_is_the_threads_own():
    stackless.switch_trap(1)
    try:
        assert in_thread(stackless.switch_trap) == 0
        assert in_thread(lambda: (tasklet(schedule)(), run())[1]) is None
    finally:
        stackless.switch_trap(-1)


def test_seeds_of_threads_differ():
    from chanlab.sched import here

    assert in_thread(lambda: here.sched.rng.state) != in_thread(lambda: here.sched.rng.state)


def test_thread_that_ends_with_tasklets_alive(script):
    """Nothing crashes, in whichever order what they held goes away."""
    ended = script(
        """
        import gc, threading, stackless
        kept = []
        def work():
            ch = stackless.channel()
            for how in (stackless.schedule_remove, ch.receive, lambda: stackless.select([ch.receiveCase()])):
                t = stackless.tasklet(how)()
                if len(kept) % 2:
                    kept.append(t)
            stackless.run()
        for _ in range(20):
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
            kept.append(None)
        kept.clear()
        gc.collect()
        stackless.tasklet(print)("still works")
        stackless.run()
        """
    )
    assert (ended.returncode, ended.stdout) == (0, "still works\n"), ended.stderr
    assert ended.stderr == ""


def test_a_value_goes_to_another_thread_and_back():
    there, back, got = channel(), channel(), []

    def other():
        for _ in range(50):
            back.send(there.receive() + 1)

    thread = threading.Thread(target=other)
    thread.start()
    for i in range(50):
        there.send(i)
        got.append(back.receive())
    thread.join()
    assert got == list(range(1, 51))
    assert (there.balance, back.balance) == (0, 0)


def test_an_exception_goes_to_another_thread():
    ch, caught = channel(), []

    def other():
        try:
            ch.receive()
        except KeyError as error:
            caught.append(error.args)

    thread = threading.Thread(target=other)
    thread.start()
    ch.send_exception(KeyError, "k")
    thread.join()
    assert caught == [("k",)]


def test_exactly_once_between_threads():
    """Producers and consumers in several threads, plain and selecting: nothing is lost or doubled."""
    a, b, each, count = channel(), channel(), 200, 3
    got, errors = [], []

    def guarded(func, *args):
        try:
            func(*args)
        except BaseException as error:
            errors.append(error)

    def producer(base):
        for i in range(each):
            if i % 3:
                stackless.select([a.sendCase((base, i)), b.sendCase((base, i))])
            else:
                (a, b)[i % 2].send((base, i))

    def consumer():
        while True:
            value = stackless.select([a.receiveCase(), b.receiveCase()]).value
            if value is None:
                return
            got.append(value)

    producers = [threading.Thread(target=guarded, args=(producer, base)) for base in range(count)]
    consumers = [threading.Thread(target=guarded, args=(consumer,)) for _ in range(count)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in consumers:
        stackless.select([a.sendCase(None), b.sendCase(None)])
    for thread in consumers:
        thread.join()
    assert errors == []
    assert sorted(got) == [(base, i) for base in range(count) for i in range(each)]
    assert (a.balance, b.balance) == (0, 0)


def test_tasklet_that_survives_its_thread_is_met_by_nobody(script):
    ended = script(
        """
        import stackless, threading
        ch = stackless.channel()
        def stubborn():
            while True:
                try:
                    ch.receive()
                except TaskletExit:
                    pass
        def work():
            stackless.tasklet(stubborn)()
            stackless.run()
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        assert (ch.balance, ch.queue) == (0, None)
        try:
            ch.send(1)
        except RuntimeError as error:
            print(error)
        """
    )
    assert ended.ok() == "Deadlock: the last runnable tasklet cannot be blocked.\n"


def test_waiting_for_a_thread_that_ends_is_a_deadlock(script):
    """A thread that never used tasklets ends without a word; who waits for it finds out."""
    ended = script(
        """
        import stackless, threading
        ch, go = stackless.channel(), threading.Event()
        threading.Thread(target=go.wait).start()
        stackless.tasklet(go.set)()
        try:
            ch.receive()
        except RuntimeError as error:
            print(error)
        """
    )
    assert ended.stdout in (
        "Deadlock: the last runnable tasklet cannot be blocked.\n",
        "the main tasklet is receiving without a sender available.\n",  # the thread was gone when the tasklet ended
    ), ended.stderr


def test_fork_while_other_threads_are_at_work(script):
    ended = script(
        """
        import os, stackless, threading, warnings
        warnings.simplefilter("ignore", DeprecationWarning)  # CPython 3.12 warns of such forks
        stop = []
        def work():
            ch = stackless.channel()
            def receiver():
                while True:
                    ch.receive()
            stackless.tasklet(receiver)()
            stackless.schedule()
            while not stop:
                ch.send(1)
        threads = [threading.Thread(target=work) for _ in range(3)]
        for thread in threads:
            thread.start()
        for _ in range(10):
            pid = os.fork()
            if pid == 0:
                ch = stackless.channel()
                stackless.tasklet(ch.send)("in the child")
                os._exit(0 if ch.receive() == "in the child" else 1)
            assert os.waitpid(pid, 0)[1] == 0
        stop.append(1)
        for thread in threads:
            thread.join()
        print("ok")
        """
    )
    assert ended.ok() == "ok\n"


def test_one_lock_guards_every_operation(script):
    """Threads that change places after every few bytecodes: without the lock something is lost within moments."""
    ended = script(
        """
        import sys, threading
        import stackless
        sys.setswitchinterval(1e-6)
        ch, got = stackless.channel(), []
        EACH = 1500
        def sender(name):
            for i in range(EACH):
                ch.send((name, i))
        def receiver():
            for _ in range(EACH):
                got.append(ch.receive())
        threads = [threading.Thread(target=f, args=a, daemon=True)
                   for n in range(4) for f, a in ((sender, (n,)), (receiver, ()))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert len(got) == len(set(got)) == 4 * EACH, len(got)
        assert (ch.balance, ch.queue) == (0, None)
        print("ok")
        """
    )
    assert ended.ok() == "ok\n"
