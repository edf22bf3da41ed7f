"""Which words a catalogue may not use: special categories, and scores, ratings and lists of people.

The law that this project was derived from lets authorities share facts about conduct. It gives no leave to share what
someone believes, is, or whom they know, nor to rate or list anyone. A department that tries it anyway is stopped here:
by the category it declares, and by the words it uses, since a category can be left out.

Words are matched whole, on the words of a camelCase or kebab-case name or of a title, so that `united` is not a
`union`; a few stems that occur in no other word are matched inside a word too, so that gluing words together
(`phonenumber`, `bloodgroup`) does not help. A word counts as it reads: what hides it from a program and not from people
(`reliGion`, `sc0re`, `h-i-v`, letters of another alphabet or of no width) does not help either. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from gateway.catalogue.reading import as_it_reads, digits_as_letters

ORDINARY = "ordinary"
PENALTY = "administrative-penalty"
SAFETY_PENALTY = "administrative-penalty-safety"

ALLOWED: Mapping[str, str] = {
    ORDINARY: "anything that no other word here names",
    PENALTY: "penalties that an authority imposed by administrative decision (Art. 44)",
    SAFETY_PENALTY: "such penalties for food, drug, special-equipment, production or fire safety (Art. 44)",
}
"""The categories that a dataset may declare, and what each means."""

SPECIAL: Mapping[str, str] = {
    "ethnicity": "ethnicity",
    "religion-or-belief": "religion or belief",
    "political-opinion": "political opinion",
    "union-membership": "union membership",
    "biometric": "biometric data",
    "genetic": "genetic data",
    "health": "health data",
    "sex-life": "sex life",
    "location-or-movement": "location and movement",
    "communications-or-contacts": "communications and contacts",
}
"""The categories that are words of the vocabulary so that declaring one can be refused by its name."""

CATEGORIES: tuple[str, ...] = (*ALLOWED, *SPECIAL)
"""The whole closed vocabulary of `category`."""

SCORING = "a score, rating, ranking, label or list of people"

_WORDS: Mapping[str, str] = {
    "ethnicity": "ethnicity ethnic race racial tribe tribal caste descent indigenous romani gypsy; "
    "national origin, skin colour, skin color, mother tongue",
    "religion-or-belief": "religion religious faith belief creed church mosque synagogue temple denomination worship "
    "baptism prayer atheist atheism muslim islam islamic christian christianity catholic jewish judaism hindu buddhist",
    "political-opinion": "political politics ideology ideological voter vote; party member, party membership, "
    "party affiliation",
    "union-membership": "union unionised unionized unionist unionism",
    "biometric": "biometric biometry fingerprint iris retina faceprint voiceprint palmprint facial gait; "
    "face image, face template",
    "genetic": "genetic gene genome genomic genotype dna hereditary",
    "health": "health healthcare medical medicine medication illness disease sickness sick diagnosis diagnoses "
    "disability disabled patient hospital hospitalisation hospitalization vaccination vaccine pregnancy pregnant "
    "allergy psychiatric psychological therapy prescription hiv covid cancer diabetes epilepsy autism autistic "
    "dementia abortion symptom addiction; blood type, blood group, mental state",
    "sex-life": "sex sexual sexuality gay lesbian bisexual transgender lgbt; gender identity",
    "location-or-movement": "location geolocation gps latitude longitude coordinates geo movement whereabouts "
    "itinerary trajectory trip travel travelled tracking roaming; border crossing, current position",
    "communications-or-contacts": "communication message messaging sms email contact phone telephone mobile chat "
    "correspondence friend follower acquaintance imei imsi msisdn; call log, call record, phone call, "
    "social network, e mail",
}
_STEMS: Mapping[str, str] = {
    "ethnicity": "ethnic",
    "religion-or-belief": "religio",
    "union-membership": "tradeunion unionmember",
    "biometric": "biometr fingerprint",
    "health": "diagnos vaccin bloodtype bloodgroup healthcare healthstat",
    "sex-life": "sexual",
    "location-or-movement": "geoloc whereabout",
    "communications-or-contacts": "phonenumber phonecall emailaddress",
}
_SCORING_WORDS = (
    "score scored scoring rating rated rank ranked ranking grade graded label labelled labeled tier reputation "
    "trustworthiness trustworthy untrustworthy creditworthiness creditworthy "
    "list listed listing blacklist redlist greylist graylist whitelist watchlist; "
    "trust level, risk level, risk class, credit level, credit class, star rating"
)
_SCORING_STEMS = "blacklist watchlist redlist creditscore creditrating socialcredit trustscore riskscore"

_RUN = re.compile(r"[^\W_]+")
_SPLIT = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\d_A-Za-z]+")


def _phrases(text: str) -> list[tuple[str, ...]]:
    single, _, multiple = text.partition(";")
    return [(word,) for word in single.split()] + [tuple(phrase.split()) for phrase in multiple.split(",") if phrase]


class _Vocabulary(NamedTuple):
    phrases: Mapping[tuple[str, ...], str]
    stems: Mapping[str, str]
    forms: Mapping[str, str]
    """The single words of `phrases`, and their plurals."""


def _vocabulary(phrases: Mapping[tuple[str, ...], str], stems: Mapping[str, str]) -> _Vocabulary:
    forms = {form: phrases[each] for each in phrases if len(each) == 1 for form in (each[0], *_plurals(each[0]))}
    return _Vocabulary(phrases, stems, forms)


def _plurals(word: str) -> Iterator[str]:
    yield word[:-1] + "ies" if word.endswith("y") else word + "es"
    yield word + "s"


_SPECIAL_VOCABULARY = _vocabulary(
    {phrase: category for category, text in _WORDS.items() for phrase in _phrases(text)},
    {stem: category for category, text in _STEMS.items() for stem in text.split()},
)
_SCORING_VOCABULARY = _vocabulary(
    dict.fromkeys(_phrases(_SCORING_WORDS), SCORING), dict.fromkeys(_SCORING_STEMS.split(), SCORING)
)

_LONGEST = max(map(len, (*_SPECIAL_VOCABULARY.forms, *_SCORING_VOCABULARY.forms)))
"""Letters of the longest reserved word."""


class Match(NamedTuple):
    """A reserved word found: the words as they stand, in lower case, and what they stand for."""

    words: str
    meaning: str


def split(name: str) -> tuple[str, ...]:
    """The words of a camelCase, kebab-case or snake_case name, or of a title, in lower case."""
    return tuple(word.lower() for word in _SPLIT.findall(name))


def _singulars(word: str) -> Iterator[str]:
    yield word
    if word.endswith("ies"):
        yield word[:-3] + "y"
    if word.endswith("es"):
        yield word[:-2]
    if word.endswith("s") and not word.endswith("ss"):
        yield word[:-1]


def _find(text: str, vocabulary: _Vocabulary) -> Match | None:
    read = as_it_reads(text)
    words = split(read)
    for start, word in enumerate(words):
        for singular in _singulars(word):
            if meaning := vocabulary.phrases.get((singular,)):
                return Match(word, meaning)
            if start and (meaning := vocabulary.phrases.get((words[start - 1], singular))):
                return Match(f"{words[start - 1]} {word}", meaning)
        for stem, meaning in vocabulary.stems.items():
            if stem in word:
                return Match(word, meaning)
    return next((Match(word, vocabulary.forms[word]) for word in _hidden(read) if word in vocabulary.forms), None)


def _hidden(text: str) -> Iterator[str]:
    """Words that stand in a text in pieces: with capitals or digits within them, or letter by letter."""
    letters: list[str] = []
    for run in _RUN.findall(text):
        for spelt in (run, *digits_as_letters(run)):
            yield from _joined(split(spelt))
        if len(run) == 1:
            letters.append(run.lower())
        else:
            yield from _joined(letters)
            letters = []
    yield from _joined(letters)


def _joined(pieces: Sequence[str]) -> Iterator[str]:
    """What pieces that follow each other make together, as far as a reserved word goes."""
    for start in range(len(pieces)):
        word = ""
        for piece in pieces[start : start + _LONGEST]:
            word += piece
            if len(word) > _LONGEST:
                break
            yield word


def special(text: str) -> Match | None:
    """The first word of `text` that belongs to a special category; its meaning is that category's title."""
    found = _find(text, _SPECIAL_VOCABULARY)
    return Match(found.words, SPECIAL[found.meaning]) if found else None


def scoring(text: str) -> Match | None:
    """The first word of `text` that speaks of a score, rating, ranking, label or list."""
    return _find(text, _SCORING_VOCABULARY)
