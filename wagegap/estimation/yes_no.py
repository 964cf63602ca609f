"""Words by which people answer yes or no, in the languages that surveys come in."""

from __future__ import annotations

__all__ = ["means_no", "means_yes"]

_YES = frozenset(
    "yes y true 1 1.0 ja oui si sí sim tak igen evet jah kyllä ano áno da ναι да はい 是 예 네 treated with".split()
)
_NO = frozenset(
    "no n false 0 0.0 nein nee nej nei non não nao nie nem hayır ei ne όχι нет いいえ 否 아니오 아니요 control "
    "untreated without".split()
)


def means_yes(value: object) -> bool:
    """Say whether a value means yes.

    >>> means_yes("Ja"), means_yes(True), means_yes(1.0), means_yes("maybe")
    (True, True, True, False)
    """
    return str(value).strip().lower() in _YES


def means_no(value: object) -> bool:
    """Say whether a value means no.

    >>> means_no("nein "), means_no(False), means_no("nobody")
    (True, True, False)
    """
    return str(value).strip().lower() in _NO
