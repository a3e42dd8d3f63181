"""Go's test/chan/powser1.go: power series as processes that deliver terms on demand, after Newsqueak's (McIlroy, 1990)."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from fractions import Fraction

from gochan import chan, go, nil
from select_proto import select

#: What a finite series sends after its last term.
FINIS = None


class Series:
    """A demand channel: whoever wants a term sends a request, and receives the term."""

    def __init__(self) -> None:
        self.req, self.dat = chan(), chan()

    def get(self):
        self.req.send(())
        return self.dat.receive()

    def put(self, term) -> None:
        self.req.receive()
        self.dat.send(term)

    def copy(self, source: Series) -> None:
        while True:
            self.req.receive()
            self.dat.send(source.get())


def series(body: Callable[[Series], None]) -> Series:
    z = Series()
    go(body, z)
    return z


def get_two(u: Series, v: Series) -> list:
    """A term of each.  All four steps are cases of one select, of which those that are over are switched off."""
    sources = (u, v)
    req: list[chan] = [u.req, v.req]
    dat: list[chan] = [nil, nil]
    out = [None, None]
    for _ in range(4):
        r = select([[c.sendCase(()) for c in req], [c.receiveCase() for c in dat]])
        i = r.element
        if r.index == 0:
            dat[i], req[i] = sources[i].dat, nil
        else:
            out[i], dat[i] = r.value, nil
    return out


def split_into(source: Series, out: list[Series]) -> list[Series]:
    """Deliver the terms of `source` to both, which may be read at different rates.

    For each term a process is born at the first demand, and dies when both have got the term.  The newest one serves
    whoever is ahead; the older ones hold what the other has still to get, and release one another in turn.
    """

    def one_term(out, wait):
        both = False
        ahead, behind = out
        r = select([ahead.req.receiveCase(), wait.receiveCase()])
        if r.index == 1:
            both = True
            if select([ahead.req.receiveCase(), behind.req.receiveCase()]).index == 1:
                ahead, behind = behind, ahead
        source.req.send(())
        release = chan()
        go(one_term, (ahead, behind), release)
        term = source.dat.receive()
        ahead.dat.send(term)
        if not both:
            wait.receive()
        behind.req.receive()
        behind.dat.send(term)
        release.send(0)

    release = chan()
    go(one_term, tuple(out), release)
    release.send(0)
    return out


def split(u: Series) -> list[Series]:
    out = [Series(), Series()]
    go(split_into, u, out)
    return out


def repeat(c) -> Series:
    def body(z):
        while True:
            z.put(Fraction(c))

    return series(body)


def add(u: Series, v: Series) -> Series:
    def body(z):
        while True:
            z.req.receive()
            a, b = get_two(u, v)
            if a is FINIS:
                z.dat.send(b)
                z.copy(v)
            elif b is FINIS:
                z.dat.send(a)
                z.copy(u)
            z.dat.send(a + b)

    return series(body)


def scale(c, u: Series) -> Series:
    def body(z):
        while True:
            z.req.receive()
            term = u.get()
            z.dat.send(term if term is FINIS else c * term)

    return series(body)


def shift(c, u: Series) -> Series:
    def body(z):
        z.put(c)
        z.copy(u)

    return series(body)


def multiply(u: Series, v: Series) -> Series:
    """(a + xU)(b + xV) = ab + x(aV + bU) + x²UV."""

    def body(z):
        z.req.receive()
        a, b = get_two(u, v)
        z.dat.send(a * b)
        uu, vv = split(u), split(v)
        w = add(scale(a, vv[0]), scale(b, uu[0]))
        z.req.receive()
        z.dat.send(w.get())
        z.copy(add(w, multiply(uu[1], vv[1])))

    return series(body)


def differentiate(u: Series) -> Series:
    def body(z):
        u_at = itertools.count(1)
        z.req.receive()
        u.get()
        while True:
            z.dat.send(next(u_at) * u.get())
            z.req.receive()

    return series(body)


def integrate(c, u: Series) -> Series:
    def body(z):
        z.put(Fraction(c))
        for i in itertools.count(1):
            z.req.receive()
            z.dat.send(u.get() / i)

    return series(body)


def binomial(c) -> Series:
    """(1+x)**c: finite when c is a natural number, and then, as in Go's program, without the last term."""

    def body(z):
        term, n, left = Fraction(1), 1, c
        while left:
            z.put(term)
            term, n, left = term * left / n, n + 1, left - 1
        z.put(FINIS)

    return series(body)


def reciprocal(u: Series) -> Series:
    """1/(a + xU) = z + xZ, where z = 1/a and Z = -zU(z + xZ): it feeds on itself."""

    def body(z):
        zz = [Series(), Series()]
        z.req.receive()
        first = 1 / u.get()
        z.dat.send(first)
        split_into(multiply(scale(-first, u), shift(first, zz[0])), zz)
        z.copy(zz[1])

    return series(body)


def exponential(u: Series) -> Series:
    """Z' = ZU', so Z is the integral: it feeds on itself."""
    zz = [Series(), Series()]
    split_into(integrate(1, multiply(zz[0], differentiate(u))), zz)
    return zz[1]


def substitute(u: Series, v: Series) -> Series:
    """u(v(x)), for a v without constant term."""

    def body(z):
        vv = split(v)
        z.req.receive()
        z.dat.send(u.get())
        assert vv[0].get() == 0
        z.copy(multiply(vv[0], substitute(u, vv[1])))

    return series(body)


def substitute_monomial(u: Series, c, n: int) -> Series:
    def body(z):
        power = 1
        while True:
            z.req.receive()
            z.dat.send(u.get() * power)
            power *= c
            for _ in range(1, n):
                z.put(Fraction(0))

    return series(body)


def terms(u: Series, n: int) -> str:
    return " ".join(str(u.get()) for _ in range(n))


def test_chan_powser1(leftovers):
    """test/chan/powser1.go: power series on demand channels; the terms are those that the Go program prints."""
    ones, twos = repeat(1), repeat(2)
    assert terms(ones, 10) == " ".join("1" * 10)
    assert terms(add(repeat(1), twos), 10) == " ".join("3" * 10)
    assert terms(differentiate(ones), 10) == "1 2 3 4 5 6 7 8 9 10"
    assert terms(integrate(0, ones), 10) == "0 1 1/2 1/3 1/4 1/5 1/6 1/7 1/8 1/9"
    assert terms(scale(-1, ones), 10) == " ".join(["-1"] * 10)
    assert terms(add(ones, scale(-1, twos)), 10) == " ".join(["-1"] * 10)
    assert terms(multiply(ones, ones), 10) == "1 2 3 4 5 6 7 8 9 10"
    assert terms(exponential(ones), 15) == (
        "1 1 3/2 13/6 73/24 167/40 4051/720 37633/5040 43817/4480 4596553/362880 58941091/3628800 "
        "274691047/13305600 12470162233/479001600 202976401213/6227020800 1178339174801/29059430400"
    )
    assert terms(substitute_monomial(ones, -1, 2), 10) == "1 0 -1 0 1 0 -1 0 1 0"
    assert terms(integrate(0, substitute_monomial(ones, -1, 2)), 10) == "0 1 0 -1/3 0 1/5 0 -1/7 0 1/9"


def test_chan_powser1_feedback(leftovers):
    """test/chan/powser1.go, what it defines beyond: reciprocal, substitution and finite series."""
    assert terms(reciprocal(repeat(1)), 6) == "1 -1 0 0 0 0"
    assert terms(reciprocal(shift(Fraction(1), repeat(-1))), 6) == "1 1 2 4 8 16"
    x = shift(Fraction(0), repeat(1))
    assert terms(substitute(repeat(1), x), 6) == "1 1 2 4 8 16"
    assert terms(binomial(3), 4) == "1 3 3 None"
    assert terms(add(binomial(2), repeat(1)), 5) == "2 3 1 1 1"
