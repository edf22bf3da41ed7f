"""An evidence package checked offline: every file against the manifest, every entry against its proof and its words.

Nothing in the package is believed but what follows from a signature. The keys in the package prove only that it is of
one hand: whose, is known from keys that came another way.
"""

from __future__ import annotations

import hashlib
import lzma
import re
import struct
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

import msgspec

from gateway.errors import VerificationFailed
from gateway.ledger.entry import entries
from gateway.ledger.entry.receipt import verify_receipt
from gateway.ledger.entry.registry import Registry, read_document
from gateway.ledger.entry.unknown import Tally
from gateway.ledger.export.package_write import (
    FORMAT,
    MANIFEST,
    NOTE,
    REGISTRY,
    VERSION,
    EntryFile,
    Manifest,
    PartFile,
    SideFile,
    note_text,
)
from gateway.ledger.export.select import fits
from gateway.ledger.proof import tlog_proof
from gateway.ledger.proof.leaf import Part, Side, open_extra, oversight_digest
from gateway.ledger.proof.note import Verifier, open_note, parse_verifier
from gateway.ledger.verify.published.assurance import read_checkpoint
from gateway.nouns import counted

MAX_FILE = 256 * 1024 * 1024
_RECEIPT = re.compile(r"entries/(?P<shard>[^/]+)-(?P<index>[0-9]{12,})\.txt")


class Checked(NamedTuple):
    """A package that is whole; `verifiers` are the keys that signed it, `unknown` its entries of unknown kinds."""

    manifest: Manifest
    verifiers: list[Verifier]
    unknown: Tally


class Source(Protocol):
    """Where a package's files come from."""

    def names(self) -> list[str]: ...

    def read(self, name: str) -> bytes: ...


class _FolderSource:
    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        return [path.relative_to(self._path).as_posix() for path in self._path.rglob("*") if not path.is_dir()]

    def read(self, name: str) -> bytes:
        try:
            with (self._path / name).open("rb") as file:
                return _bounded(name, file.read(MAX_FILE + 1))
        except OSError as error:
            raise VerificationFailed(f"`{name}` cannot be read ({error.strerror}); it was removed") from error


class _ZipSource:
    def __init__(self, path: Path) -> None:
        try:
            self._file = zipfile.ZipFile(path)
        except (OSError, zipfile.BadZipFile, ValueError, NotImplementedError, struct.error) as error:
            raise VerificationFailed(
                f"`{path}` cannot be read as a package ({error}): it was cut short or altered; have it sent again"
            ) from error

    def names(self) -> list[str]:
        return [info.filename for info in self._file.infolist() if not info.is_dir()]

    def read(self, name: str) -> bytes:
        try:
            with self._file.open(name) as file:
                return _bounded(name, file.read(MAX_FILE + 1))
        except (KeyError, OSError, zipfile.BadZipFile, ValueError, NotImplementedError, RuntimeError) as error:
            raise VerificationFailed(f"`{name}` cannot be read ({error}); it was removed or altered") from error
        except (zlib.error, lzma.LZMAError, EOFError, struct.error) as error:
            raise VerificationFailed(f"`{name}` cannot be unpacked ({error}); it was altered") from error


def _bounded(name: str, content: bytes) -> bytes:
    if len(content) > MAX_FILE:
        raise VerificationFailed(f"`{name}` is over 256 MiB; that is no part of a package")
    return content


def is_package(path: Path) -> bool:
    """Whether it looks like a package: a zip file, by its name or its content, or a folder with a manifest."""
    if path.is_dir():
        return (path / MANIFEST).is_file()
    return path.is_file() and (path.suffix.lower() == ".zip" or zipfile.is_zipfile(path))


def check_package(path: Path, verifiers: Sequence[Verifier] | None) -> Checked:
    """Check a package, by these keys or else by its own; raises `VerificationFailed` that names what is broken."""
    source: Source = _FolderSource(path) if path.is_dir() else _ZipSource(path)
    if verifiers is None:
        try:
            verifiers = [parse_verifier(line) for line in source.read("ledger.pub").decode().splitlines()]
        except ValueError as error:
            raise VerificationFailed(f"`ledger.pub` cannot be read ({error})") from error
    registry = _registry(source, verifiers)
    manifest = _manifest(source, registry.verifiers if registry is not None else verifiers)
    if registry is not None:
        verifiers = registry.verifiers
    _check_files(source, manifest)
    signers: set[Verifier] = set()
    found: dict[str, entries.Told] = {}
    unknown = Tally()
    for name in sorted(manifest.files):
        match = _RECEIPT.fullmatch(name)
        if match:
            try:
                told, signer = _check_entry(source, manifest, match["shard"], int(match["index"]), verifiers, registry)
            except VerificationFailed as error:
                raise VerificationFailed(f"`{name}`: {error}") from error
            found[name.removesuffix(".txt")] = told
            unknown.note(told)
            signers.add(signer)
    if len(found) != manifest.entries:
        raise VerificationFailed(f"it holds {counted(len(found), 'entry')}; its manifest has {manifest.entries}")
    _check_view(manifest, found)
    return Checked(manifest, sorted(signers), unknown)


def _registry(source: Source, verifiers: Sequence[Verifier]) -> Registry | None:
    """The ledger's registry, from a key of it that is trusted; packages of earlier versions have none."""
    if REGISTRY not in source.names():
        return None
    try:
        return read_document(source.read(REGISTRY), verifiers)
    except VerificationFailed as error:
        raise VerificationFailed(f"`{REGISTRY}`: {error}") from error


def _manifest(source: Source, verifiers: Sequence[Verifier]) -> Manifest:
    content = source.read(MANIFEST)
    try:
        text, signers = open_note(source.read(NOTE).decode(), verifiers)
    except ValueError as error:
        raise VerificationFailed(
            f"the signature of `{MANIFEST}`, in `{NOTE}`, does not verify: {error}{_hint(source)}"
        ) from error
    if text != note_text(content):
        raise VerificationFailed(f"`{MANIFEST}` is not what was signed in `{NOTE}`: it was altered")
    try:
        manifest = msgspec.json.decode(content, type=Manifest)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VerificationFailed(f"`{MANIFEST}` cannot be read ({error}); it was altered") from error
    if manifest.format != FORMAT or manifest.v not in (1, VERSION):
        raise VerificationFailed(f"`{MANIFEST}` is not of an evidence package of version {VERSION} or before")
    shard = manifest.view.removeprefix("entries/").rpartition("-")[0]
    if shard not in [signer.name.rpartition("/")[2] for signer in signers]:
        raise VerificationFailed(f"`{MANIFEST}` was not signed by the shard that holds the entry of its view")
    return manifest


def _hint(source: Source) -> str:
    return "" if REGISTRY in source.names() else f"; and there is no `{REGISTRY}`, by which one key vouches for all"


def _check_files(source: Source, manifest: Manifest) -> None:
    there = source.names()
    if len(set(there)) != len(there):
        raise VerificationFailed("a file appears twice in it")
    for name in sorted(set(there) - {MANIFEST, NOTE, *manifest.files}):
        raise VerificationFailed(f"`{name}` is not in its manifest: it was added")
    for name, listed in sorted(manifest.files.items()):
        if name not in there:
            raise VerificationFailed(f"`{name}` is in its manifest, and missing: it was removed")
        if hashlib.sha256(source.read(name)).hexdigest() != listed.sha256:
            raise VerificationFailed(f"`{name}` is not what its manifest has the digest of: it was altered")


def _check_entry(
    source: Source,
    manifest: Manifest,
    shard: str,
    index: int,
    verifiers: Sequence[Verifier],
    registry: Registry | None,
) -> tuple[entries.Told, Verifier]:
    name = f"entries/{shard}-{index:012}"
    if {f"{name}.json", f"checkpoints/{shard}.txt"} - manifest.files.keys():
        raise VerificationFailed("its words or its shard's checkpoint are missing")
    try:
        text, note = source.read(f"{name}.txt").decode(), source.read(f"checkpoints/{shard}.txt").decode()
    except UnicodeDecodeError as error:
        raise VerificationFailed(f"a file of it cannot be read ({error})") from error
    proved = verify_receipt(text, verifiers, registry)
    checkpoint = read_checkpoint(note, verifiers, f"`checkpoints/{shard}.txt`", shard)
    if (proved.size, proved.root) != (checkpoint.size, checkpoint.root):
        raise VerificationFailed("its receipt does not lead to the checkpoint in the package")
    if manifest.searched and manifest.searched.get(shard) != checkpoint.size:
        raise VerificationFailed("its manifest names another tree of its shard")
    opening = open_extra(tlog_proof.parse(text).extra)
    try:
        made = _entry_file(source.read(f"{name}.json"), manifest.v, opening.told.general.salt)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise VerificationFailed(f"a file of it cannot be read ({error})") from error
    if (proved.shard, proved.index) != (shard, index) or (made.origin, made.index) != (proved.origin, index):
        raise VerificationFailed(f"its receipt is of entry {proved.index} of `{proved.origin}`")
    if _side(made.told) != opening.told:
        raise VerificationFailed("its words are not those that its receipt proves")
    if "oversight" in manifest.parts:
        if made.oversight is None:
            raise VerificationFailed("what only oversight may open is missing")
        if oversight_digest(_side(made.oversight)) != proved.oversight:
            raise VerificationFailed("what only oversight may open is not what its receipt has the digest of")
    if not fits(proved.told, manifest.looked) and name != manifest.view:
        raise VerificationFailed("it is not about the subject of the package")
    if proved.verifier is None:
        raise VerificationFailed("no signature on its receipt was checked")
    return proved.told, proved.verifier


class _EntryFile1(msgspec.Struct, frozen=True):
    """An entry's words as packages of version 1 have them: each side in one text, the told side's salt left out."""

    origin: str
    index: int
    told: msgspec.Raw
    oversight: msgspec.Raw = msgspec.Raw(b"null")
    oversight_salt: bytes | None = None


def _entry_file(content: bytes, version: int, told_salt: bytes) -> EntryFile:
    if version == VERSION:
        return msgspec.json.decode(content, type=EntryFile)
    old = msgspec.json.decode(content, type=_EntryFile1)
    oversight = SideFile(PartFile(old.oversight, old.oversight_salt)) if old.oversight_salt is not None else None
    return EntryFile(old.origin, old.index, SideFile(PartFile(old.told, told_salt)), oversight)


def _side(file: SideFile) -> Side:
    return Side(_part(file.general), None if file.subjects is None else tuple(map(_either, file.subjects)))


def _either(file: PartFile) -> Part | bytes:
    return file.erased if file.erased is not None else _part(file)


def _part(file: PartFile) -> Part:
    return Part(file.salt or b"", bytes(file.text))


def _check_view(manifest: Manifest, found: dict[str, entries.Told]) -> None:
    view = found.get(manifest.view)
    if not isinstance(view, entries.View):
        raise VerificationFailed(f"`{manifest.view}`, the entry of this view of the ledger itself, is missing")
    said = (view.by, view.reason, view.looked, view.parts, view.at)
    if said != (manifest.by, manifest.reason, manifest.looked, manifest.parts, manifest.made):
        raise VerificationFailed("its manifest is not as entered: who made it, why or of what was changed")
