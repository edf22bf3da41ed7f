"""Reserved words: found in any spelling of a name, and not in words that merely contain them."""

from __future__ import annotations

import pytest

from gateway.catalogue import words


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("amountDue", ("amount", "due")),
        ("tax-arrears", ("tax", "arrears")),
        ("snake_case_name", ("snake", "case", "name")),
        ("GPSPosition", ("gps", "position")),
        ("isO2Blocked", ("is", "o", "blocked")),
        ("Titles: of things (ISO 4217)", ("titles", "of", "things", "iso")),
    ],
)
def test_names_split_into_words(name: str, expected: tuple[str, ...]) -> None:
    assert words.split(name) == expected


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("ethnicOrigin", "ethnicity"),
        ("race", "ethnicity"),
        ("skinColour", "ethnicity"),
        ("religion", "religion or belief"),
        ("religiousCommunity", "religion or belief"),
        ("beliefs", "religion or belief"),
        ("politicalParty", "political opinion"),
        ("partyMembership", "political opinion"),
        ("union", "union membership"),
        ("unionMember", "union membership"),
        ("tradeunionname", "union membership"),
        ("fingerprints", "biometric data"),
        ("faceImage", "biometric data"),
        ("dna", "genetic data"),
        ("genes", "genetic data"),
        ("health", "health data"),
        ("diagnoses", "health data"),
        ("disabilities", "health data"),
        ("bloodtype", "health data"),
        ("bloodType", "health data"),
        ("sexualOrientation", "sex life"),
        ("genderIdentity", "sex life"),
        ("lastLocation", "location and movement"),
        ("gpsTrack", "location and movement"),
        ("borderCrossings", "location and movement"),
        ("phoneNumber", "communications and contacts"),
        ("phonenumber", "communications and contacts"),
        ("contacts", "communications and contacts"),
        ("callLog", "communications and contacts"),
        ("communications", "communications and contacts"),
    ],
)
def test_special_categories_are_found(name: str, meaning: str) -> None:
    found = words.special(name)
    assert found is not None
    assert found.meaning == meaning


@pytest.mark.parametrize(
    "name",
    ["creditScore", "ratings", "rank", "label", "blacklist", "blacklisted", "black-list", "watchListed", "riskLevel",
     "socialcreditpoints", "SCORE", "onList", "tier", "trustLevel"],
)  # fmt: skip
def test_scores_and_lists_are_found(name: str) -> None:
    found = words.scoring(name)
    assert found is not None
    assert found.meaning == words.SCORING


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("reliGion", "religion"),
        ("heAlth", "health"),
        ("holderHEALth", "health"),
        ("creditScOre", "score"),
        ("blacKlist", "blacklist"),
        ("hiV", "hiv"),
        ("sc0re", "score"),
        ("re1igion", "religion"),
        ("h1vStatus", "hiv"),
        ("h-i-v", "hiv"),
        ("A S c o r e", "score"),
        ("R\N{CYRILLIC SMALL LETTER IE}ligion of the holder", "religion"),
        ("\N{CYRILLIC CAPITAL LETTER EN}\N{CYRILLIC CAPITAL LETTER IE}ALTH", "health"),
        ("sc\N{GREEK SMALL LETTER OMICRON}re", "score"),
        ("relig\N{LATIN SMALL LETTER DOTLESS I}on", "religion"),
        ("Reli\N{ZERO WIDTH SPACE}gion", "religion"),
        ("He\N{SOFT HYPHEN}alth", "health"),
        ("He\N{HANGUL FILLER}alth", "health"),
        ("Hea\N{COMBINING LOW LINE}lth", "health"),
        ("H\N{LATIN SMALL LETTER E WITH ACUTE}alth", "health"),
        ("\N{FULLWIDTH LATIN CAPITAL LETTER R}ank", "rank"),
        ("\N{LATIN SMALL LIGATURE FI}ngerprint", "fingerprint"),
    ],
)
def test_a_word_counts_as_people_read_it(text: str, word: str) -> None:
    found = words.special(text) or words.scoring(text)
    assert found is not None
    assert found.words == word


def test_what_is_hidden_in_a_long_name_is_found() -> None:
    assert words.special("aB" * 20_000) is None
    assert words.special("aB" * 20_000 + "HeAlThS") is not None


@pytest.mark.parametrize(
    "name",
    ["united", "reunion", "trace", "racetrack", "generation", "general", "healthy", "allocation", "relocated", "raise",
     "underscore", "frankness", "enlisted", "celebrate", "rate", "exchangeRate", "party", "registeredOn", "businessId",
     "partyToContract", "ratio", "scope", "passage", "sexagesimal", "calling", "position", "isDue",
     "co2Emissions", "level3Value", "unIt", "a b c", "socialCreditCode", "vat0Rate"],
)  # fmt: skip
def test_words_that_merely_contain_them_are_not(name: str) -> None:
    assert words.special(name) is None
    assert words.scoring(name) is None


def test_the_vocabulary_is_closed_and_refuses_by_name() -> None:
    assert set(words.CATEGORIES) == set(words.ALLOWED) | set(words.SPECIAL)
    assert not set(words.ALLOWED) & set(words.SPECIAL)
    assert len(words.SPECIAL) == 10
