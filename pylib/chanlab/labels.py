"""What messages, reprs and the trace call a tasklet or a channel."""

from __future__ import annotations


def label_property(letter: str) -> property:
    """A `label`: the letter and the object's number (the same in every run), until it is set to any str."""

    def get(self) -> str:
        return self._label or f"{letter}{self._number}"

    def set_(self, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"a label must be a str, not {type(value).__name__}")
        self._label = value

    return property(
        get, set_, doc=f"Its name in messages and traces: '{letter}' and a number, or any str it is set to."
    )
