"""The wait queue and the run queue against a list, and against misuse: both twins of each, whichever this process runs."""

import gc
import weakref

import pytest
from chanlab import hooks, runq, waitq
from chanlab.links import PyLink
from hypothesis import given, settings
from hypothesis import strategies as st

if hooks._chanlab is None:
    WAIT = [(waitq.PyWaitQueue, PyLink)]
    RUN = [(runq.PyRunQueue, PyLink)]
else:
    WAIT = [(waitq.PyWaitQueue, PyLink), (hooks._chanlab.WaitQueue, hooks._chanlab.Link)]
    RUN = [(runq.PyRunQueue, PyLink), (hooks._chanlab.RunQueue, hooks._chanlab.Link)]
BOTH = WAIT + RUN


def names(pairs):
    return [queue.__module__ + "." + queue.__name__ for queue, _ in pairs]


wait_twins = pytest.mark.parametrize(("Queue", "Link"), WAIT, ids=names(WAIT))
run_twins = pytest.mark.parametrize(("Queue", "Link"), RUN, ids=names(RUN))
all_twins = pytest.mark.parametrize(("Queue", "Link"), BOTH, ids=names(BOTH))

steps = st.lists(
    st.tuples(st.sampled_from(["append", "append", "popleft", "remove", "insert_next", "rotate"]), st.integers(0, 7)),
    max_size=60,
)
calm = settings(max_examples=60, deadline=None, derandomize=True, database=None)


def refused(call, *args):
    try:
        call(*args)
    except RuntimeError:
        return True
    return False


def agree_wait(queue, model, nodes):
    assert len(queue) == len(model)
    assert list(queue) == model
    assert queue.head is (model[0] if model else None)
    for node in nodes:
        if node not in model:
            assert node._queue is None
            assert refused(queue.after, node)
            assert refused(queue.before, node)
            continue
        at = model.index(node)
        assert node._queue is queue
        assert queue.after(node) is (model[at + 1] if at + 1 < len(model) else None)
        assert queue.before(node) is (model[at - 1] if at else None)


@wait_twins
@calm
@given(steps)
def test_wait_queue_is_a_list(Queue, Link, steps):
    queue, model, nodes = Queue(), [], [Link() for _ in range(8)]
    for action, which in steps:
        node = nodes[which]
        if action == "append":
            assert refused(queue.append, node) == (node in model)
            if node not in model:
                model.append(node)
        elif action == "popleft":
            assert queue.popleft() is (model.pop(0) if model else None)
        elif action == "remove":
            assert refused(queue.remove, node) == (node not in model)
            if node in model:
                model.remove(node)
        agree_wait(queue, model, nodes)


def agree_run(queue, model, nodes):
    """The model is a list whose first element is the head."""
    assert len(queue) == len(model)
    assert list(queue) == model
    assert queue.head is (model[0] if model else None)
    for node in nodes:
        if node not in model:
            assert node._queue is None
            assert refused(queue.after, node)
            assert refused(queue.before, node)
            continue
        at = model.index(node)
        assert node._queue is queue
        assert queue.after(node) is model[(at + 1) % len(model)]
        assert queue.before(node) is model[at - 1]


@run_twins
@calm
@given(steps)
def test_run_queue_is_a_ring(Queue, Link, steps):
    queue, model, nodes = Queue(), [], [Link() for _ in range(8)]
    for action, which in steps:
        node = nodes[which]
        if action == "append":
            assert refused(queue.append, node) == (node in model)
            if node not in model:
                model.append(node)
        elif action == "insert_next":
            assert refused(queue.insert_next, node) == (node in model)
            if node not in model:
                model.insert(1 if model else 0, node)
        elif action == "remove":
            assert refused(queue.remove, node) == (node not in model)
            if node in model:
                model.remove(node)
        elif action == "rotate":
            assert refused(queue.rotate, node) == (node not in model)
            if node in model:
                at = model.index(node)
                model = model[at:] + model[:at]
        agree_run(queue, model, nodes)


@all_twins
def test_in_one_queue_at_a_time(Queue, Link):
    first, second, node = Queue(), Queue(), Link()
    first.append(node)
    for call in (second.append, getattr(second, "insert_next", second.append)):
        with pytest.raises(RuntimeError, match="already in a queue"):
            call(node)
    for call in (second.remove, second.after, second.before, getattr(second, "rotate", second.remove)):
        with pytest.raises(RuntimeError, match="not in this queue"):
            call(node)
    assert list(first) == [node]
    assert list(second) == []
    first.remove(node)
    second.append(node)
    assert node._queue is second


@all_twins
@pytest.mark.parametrize("wrong", [None, 1, "node", object(), [], type], ids=repr)
def test_no_link(Queue, Link, wrong):
    queue, node = Queue(), Link()
    queue.append(node)
    for name in ("append", "insert_next", "remove", "after", "before", "rotate"):
        if hasattr(queue, name):
            with pytest.raises((TypeError, AttributeError)):
                getattr(queue, name)(wrong)
    assert list(queue) == [node]


@all_twins
def test_argument_counts(Queue, Link):
    queue = Queue()
    for name in ("append", "remove", "after", "before"):
        with pytest.raises(TypeError):
            getattr(queue, name)()
        with pytest.raises(TypeError):
            getattr(queue, name)(Link(), Link())
    assert len(queue) == 0


@all_twins
def test_head_cannot_be_set_in_c(Queue, Link):
    queue = Queue()
    if Queue.__module__ == "_chanlab":
        with pytest.raises(AttributeError):
            queue.head = Link()
        with pytest.raises(AttributeError):
            queue.anything = 1


@all_twins
def test_a_queue_owns_its_members(Queue, Link):
    class Node(Link):
        __slots__ = ("__weakref__",)

    queue = Queue()
    node = weakref.ref(new := Node())
    queue.append(new)
    del new
    gc.collect()
    assert queue.head is node()
    queue.remove(node())
    gc.collect()
    assert node() is None


@all_twins
def test_members_outlive_their_queue(Queue, Link):
    queue, nodes = Queue(), [Link() for _ in range(5)]
    for node in nodes:
        queue.append(node)
    gone = weakref.ref(queue)
    del queue
    gc.collect()
    another = Queue()
    if gone() is None:  # in C the queue dismissed them; the Python twin lives on in its members
        for node in nodes:
            another.append(node)
        assert list(another) == nodes
    else:
        for node in nodes:
            gone().remove(node)
        del node
        gc.collect()
        assert gone() is None


@all_twins
def test_a_queue_and_its_members_in_a_cycle(Queue, Link):
    class Node(Link):
        __slots__ = ("__weakref__", "home")

    queue = Queue()
    for _ in range(3):
        node = Node()
        node.home = queue
        queue.append(node)
    gone = [weakref.ref(queue), *map(weakref.ref, queue)]
    del queue, node
    gc.collect()
    assert [ref() for ref in gone] == [None] * 4


@all_twins
def test_dropped_members_that_misuse_the_queue(Queue, Link):
    """Finalizers that run while a queue is being cleared find it consistent."""
    seen = []

    class Node(Link):
        __slots__ = ("other",)

        def __del__(self):
            seen.append((len(self.other), [type(node).__name__ for node in self.other]))
            self.other.append(Link())

    other = Queue()
    queue = Queue()
    for _ in range(4):
        node = Node()
        node.other = other
        queue.append(node)
    del node
    while queue.head is not None:
        queue.remove(queue.head)
    assert [count for count, _ in seen] == [0, 1, 2, 3]
    assert len(other) == 4


@all_twins
def test_iterating_sees_the_members_of_that_moment(Queue, Link):
    queue, nodes = Queue(), [Link() for _ in range(4)]
    for node in nodes:
        queue.append(node)
    members = iter(queue)
    for node in nodes:
        queue.remove(node)
    assert list(members) == nodes


@all_twins
def test_script_sets_queue_of_a_member(Queue, Link):
    """In C the link's home is the queue's business alone; nothing a script writes there can tear the links."""
    queue, nodes = Queue(), [Link() for _ in range(3)]
    for node in nodes:
        queue.append(node)
    if Queue.__module__ != "_chanlab":
        return
    for value in (None, Queue(), 1):
        with pytest.raises(RuntimeError, match="already in a queue"):
            nodes[1]._queue = value
    with pytest.raises(RuntimeError, match="already in a queue"):
        del nodes[1]._queue
    assert list(queue) == nodes
    free = Link()
    free._queue = "somewhere"
    assert free._queue == "somewhere"
    with pytest.raises(RuntimeError, match="already in a queue"):
        queue.append(free)
    free._queue = None
    queue.append(free)
    del free
    assert len(queue) == 4


@all_twins
def test_fresh_link_without_new(Queue, Link):
    """object.__new__ goes round the constructor; the queues must survive what comes of it."""
    queue = Queue()
    try:
        node = object.__new__(Link)
    except TypeError:
        return
    with pytest.raises((AttributeError, RuntimeError)):
        queue.append(node)


@all_twins
def test_collector_during_iteration(Queue, Link, script):
    """A collection may start while the members are being listed, and its finalizers may empty the queue."""
    script(
        f"""
        import gc
        from {Queue.__module__} import {Queue.__name__} as Queue
        from {Link.__module__} import {Link.__name__} as Link

        class Node(Link):
            pass

        class Evil:
            def __del__(self):
                while len(queue):
                    queue.remove(queue.head)
                queue.append(Node())

        queue = Queue()
        gc.disable()
        hold = [[] for _ in range(500)]  # so that the next list is not taken from CPython's free list
        for _ in range(200):
            while len(queue):
                queue.remove(queue.head)
            for _ in range(3):
                queue.append(Node())
            evil = Evil()
            evil.cycle = evil
            del evil
            hold += [], []
            gc.set_threshold(1)
            gc.enable()
            members = iter(queue)
            gc.disable()
            assert all(type(node) is Node for node in members)
        """
    ).ok()


@all_twins
def test_many(Queue, Link):
    queue, nodes = Queue(), [Link() for _ in range(20_000)]
    for node in nodes:
        queue.append(node)
    for node in nodes[1::2]:
        queue.remove(node)
    assert list(queue) == nodes[::2]
    del nodes, node
    del queue
    gc.collect()


@all_twins
def test_member_asks_for_a_queue_that_is_just_dying(Queue, Link, script):
    script(
        f"""
        from {Queue.__module__} import {Queue.__name__} as Queue
        from {Link.__module__} import {Link.__name__} as Link

        class Node(Link):
            def __del__(self):
                seen.append(keep._queue is None or type(keep._queue) is Queue)

        seen, queue, keep = [], Queue(), Link()
        queue.append(Node())
        queue.append(keep)
        del queue
        import gc
        gc.collect()
        assert all(seen)
        """
    ).ok()


def test_long_chain_of_links(script):
    """Any object may be put into a C Link's `_queue`, another Link too."""
    script(
        """
        try:
            from _chanlab import Link
        except ImportError:
            raise SystemExit
        top = None
        for _ in range(300_000):
            node = Link()
            node._queue = top
            top = node
        del node, top
        """
    ).ok()
