"""What a scanned or keyed code is: a card, a voucher, an article, a tax number, a phone. Looks nobody up.

A code can have the form of several things: a Brazilian mobile number may pass for a CPF. The order of the
configuration decides, and the other readings are told too. A check digit is a form and no proof (law 10).

The libraries that know the forms are imported when the first code needs them: `biip` alone takes 17 MB.

Sources: GS1 General Specifications (check digits, element strings), GS1 Digital Link URI syntax, ISO 7064 Mod 37,36;
Receita Federal IN 2.229/2024 (letters in a CNPJ); ITU-T E.164.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from drivers.scanner.symbology import Symbology
from loyalty_sdk.model import CodeKind, GS1Element

__all__ = ["COUNTRIES", "DEFAULT_ORDER", "CodeRules", "Meaning", "MeaningReader"]

DEFAULT_ORDER: tuple[CodeKind, ...] = (
    "member",
    "voucher",
    "gs1",
    "digital_link",
    "cpf",
    "cnpj",
    "nif",
    "nie",
    "gtin",
    "phone",
)
COUNTRIES = ("PT", "ES", "BR")
_FORM_LENGTH_MAX = 40

_ARTICLES = frozenset(
    {Symbology.UPCA, Symbology.UPCA_S, Symbology.UPCE, Symbology.UPCE_S}
    | {Symbology.EAN8, Symbology.EAN8_S, Symbology.EAN13, Symbology.EAN13_S}
)
_OWN = re.compile(r"L([MV])([0-9A-Z]{4,32})", re.ASCII)
_CPF = re.compile(r"\d{11}|\d{3}\.\d{3}\.\d{3}-\d{2}", re.ASCII)
# Small letters count only between the signs of a CNPJ: a token of 14 characters may end in the right digits by chance.
_CNPJ = re.compile(r"[0-9A-Z]{12}\d{2}|[0-9A-Za-z]{2}\.[0-9A-Za-z]{3}\.[0-9A-Za-z]{3}/[0-9A-Za-z]{4}-\d{2}", re.ASCII)
_NIF_PT = re.compile(r"(?:PT ?)?\d{3}[ .]?\d{3}[ .]?\d{3}", re.ASCII)
_NIF_ES = re.compile(r"(?:ES ?)?(?:\d{8}-?[A-Z]|[A-HJ-NP-SUVW]-?\d{7}-?[0-9A-J]|[KLM]-?\d{7}-?[A-Z])", re.ASCII)
_NIE = re.compile(r"[XYZ]-?\d{7}-?[A-Z]", re.ASCII)
_PHONE = re.compile(r"\+?[\d ()./-]{7,24}", re.ASCII)
# The primary keys of GS1 that a Digital Link can have in its path; the library checks the rest.
_DIGITAL_LINK = re.compile(r"https?://[^\s?#]+/(?:00|01|253|255|40[12]|41[47]|80(?:0[346]|1[0378]))/[^\s]+", re.ASCII)
_GTIN_LENGTHS = (8, 12, 13, 14)


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeRules:
    """How codes are told apart: `[codes]` of the configuration.

    order: which reading of a code wins; a kind that is not named is never read.
    countries: whose tax numbers and phone numbers there are, the till's own first.
    member_prefixes, voucher_prefixes: what the chain's own cards and vouchers begin with.
    """

    order: tuple[CodeKind, ...] = DEFAULT_ORDER
    countries: tuple[str, ...] = COUNTRIES
    member_prefixes: tuple[str, ...] = ()
    voucher_prefixes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """What a code is; the fields of the same names in `loyalty_sdk.model.Scan`."""

    kind: CodeKind
    value: str
    other_kinds: tuple[CodeKind, ...] = ()
    elements: tuple[GS1Element, ...] = ()


@dataclass(frozen=True, slots=True)
class _Reading:
    value: str
    elements: tuple[GS1Element, ...] = ()


_Form = Callable[[str], _Reading | None]


class MeaningReader:
    """Reads codes by the rules of one till."""

    def __init__(self, rules: CodeRules) -> None:
        self._rules = rules
        self._forms: dict[CodeKind, _Form] = {
            "member": lambda text: self._own(text, "M", rules.member_prefixes),
            "voucher": lambda text: self._own(text, "V", rules.voucher_prefixes),
            "digital_link": _digital_link,
            "gs1": _gs1,
            "gtin": _gtin,
            "cpf": _cpf,
            "cnpj": _cnpj,
            "nif": self._nif,
            "nie": _nie,
            "phone": self._phone,
        }

    def read(self, text: str, symbology: Symbology = Symbology.UNKNOWN) -> Meaning:
        """Return what a code is; `unknown` with the text itself where it has no form that is known."""
        readings: dict[CodeKind, _Reading] = {}
        for kind in self._kinds_of(symbology):
            if (reading := self._forms[kind](text.strip())) is not None:
                readings[kind] = reading
        if not readings:
            return Meaning(kind="unknown", value=text.strip())
        first, *others = readings
        return Meaning(
            kind=first, value=readings[first].value, elements=readings[first].elements, other_kinds=tuple(others)
        )

    def warm_up(self) -> None:
        """Import what tax numbers and phones need, so that no customer waits for it."""
        self.read("52998224725")
        self.read("+351912345678")

    def _kinds_of(self, symbology: Symbology) -> tuple[CodeKind, ...]:
        """The kinds that a code of this symbology may have: GS1 is where the symbology says so, and nowhere else."""
        wanted: set[str]
        if symbology in _ARTICLES:
            wanted = {"member", "voucher", "gtin"}
        elif symbology.is_gs1:
            wanted = {"member", "voucher", "gs1"}
        else:
            wanted = {str(kind) for kind in self._rules.order} - {"gs1"} - self._foreign()
        return tuple(kind for kind in self._rules.order if kind in wanted)

    def _foreign(self) -> set[str]:
        countries = set(self._rules.countries)
        owners = {"cpf": {"BR"}, "cnpj": {"BR"}, "nif": {"PT", "ES"}, "nie": {"ES"}}
        return {kind for kind, of in owners.items() if not of & countries}

    def _own(self, text: str, letter: str, prefixes: tuple[str, ...]) -> _Reading | None:
        found = _OWN.fullmatch(text)
        if found and found[1] == letter:
            from stdnum.iso7064 import mod_37_36

            if mod_37_36.is_valid(found[2]):
                return _Reading(text)
        return _Reading(text) if prefixes and text.startswith(prefixes) else None

    def _nif(self, text: str) -> _Reading | None:
        if "PT" in self._rules.countries and _NIF_PT.fullmatch(text.upper()):
            from stdnum.pt import nif

            if nif.is_valid(text):
                return _Reading(nif.compact(text))
        if "ES" in self._rules.countries and _NIF_ES.fullmatch(text.upper()):
            from stdnum.es import nif as spanish_nif

            if spanish_nif.is_valid(text):
                return _Reading(spanish_nif.compact(text))
        return None

    def _phone(self, text: str) -> _Reading | None:
        if not _PHONE.fullmatch(text):
            return None
        from phonenumbers import NumberParseException, PhoneNumberFormat, format_number, is_valid_number, parse

        for country in (None,) if text.startswith("+") else self._rules.countries:
            try:
                number = parse(text, country)
            except NumberParseException:
                continue
            if is_valid_number(number):
                return _Reading(format_number(number, PhoneNumberFormat.E164))
        return None


def _gs1(text: str) -> _Reading | None:
    from biip import BiipException
    from biip.gs1_messages import GS1Message

    try:
        found = GS1Message.parse(text).element_strings
    except BiipException:
        return None
    return _of_elements(text, found)


def _digital_link(text: str) -> _Reading | None:
    if not _DIGITAL_LINK.fullmatch(text):
        return None
    from biip import BiipException
    from biip.gs1_digital_link_uris import GS1DigitalLinkURI

    try:
        found = GS1DigitalLinkURI.parse(text).element_strings
    except (BiipException, ValueError):  # ValueError: urllib on a host in broken brackets.
        return None
    return _of_elements(text, found)


def _of_elements(text: str, found: list[Any]) -> _Reading | None:
    if not found or any(element.gtin_error or element.sscc_error or element.gln_error for element in found):
        return None  # A check digit that is wrong is a code that was not read right.
    elements = tuple(GS1Element(ai=element.ai.ai, value=element.value) for element in found)
    gtin = next((element.value for element in elements if element.ai == "01"), text)
    return _Reading(gtin, elements)


def _gtin(text: str) -> _Reading | None:
    if len(text) not in _GTIN_LENGTHS or not (text.isascii() and text.isdigit()):
        return None
    # Weights 3, 1, 3, … from the digit before the check digit backwards.
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(text)))
    return _Reading(text) if total % 10 == 0 else None


def _cpf(text: str) -> _Reading | None:
    if not _CPF.fullmatch(text):
        return None
    from stdnum.br import cpf

    return _Reading(cpf.compact(text)) if cpf.is_valid(text) else None


def _cnpj(text: str) -> _Reading | None:
    if not _CNPJ.fullmatch(text):
        return None
    from stdnum.br import cnpj

    return _Reading(cnpj.compact(text)) if cnpj.is_valid(text) else None


def _nie(text: str) -> _Reading | None:
    if not _NIE.fullmatch(text.upper()):
        return None
    from stdnum.es import nie

    return _Reading(nie.compact(text)) if nie.is_valid(text) else None
