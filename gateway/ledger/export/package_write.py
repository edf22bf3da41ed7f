"""An evidence package: entries with their proofs, made so that a court can check them without the operator.

Written here, checked by `package_check`.

    manifest.json                    who made it, why, of what; the SHA-256 of every other file
    manifest.note                    the manifest's SHA-256, in a C2SP signed note of the shard that holds its `view`
    summary.html                     all of it to read, without any software of ours
    ledger.pub                       the verifier keys of the shards in it
    registry.json                    the shards of the ledger and their keys: the root shard's vouches for all
    checkpoints/<shard>.txt          the signed checkpoint that the proofs lead to
    entries/<shard>-<index>.txt      the receipt of an entry: a C2SP tlog-proof that opens what was told
    entries/<shard>-<index>.json     the same in plain words, and what only oversight may open, each part with its salt
    policies/...                     the policies, where those at hand are the rule set of an entry
"""

from __future__ import annotations

import contextlib
import datetime
import hashlib
import os
import shutil
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import IO, Protocol

import msgspec

from gateway.errors import ConfigurationError, Problem
from gateway.ledger.entry import entries
from gateway.ledger.export import summary
from gateway.ledger.export.select import Chosen
from gateway.ledger.export.titles import NONE, Titles
from gateway.ledger.proof.leaf import Part, Side
from gateway.ledger.proof.note import Signer
from gateway.storage.port import Head

FORMAT = "dutybound-evidence"
VERSION = 2
MANIFEST = "manifest.json"
NOTE = "manifest.note"
REGISTRY = "registry.json"


class FileDigest(msgspec.Struct, frozen=True):
    """The manifest's line about a file."""

    size: int
    sha256: str


class Manifest(msgspec.Struct, frozen=True, omit_defaults=True):
    """`manifest.json`. `view` names the entry that this package itself left in the ledger; `policies` is the digest of
    the rule set whose text is in it. `searched` are the shards that were read to find the entries, and how many entries
    of each: every one of them was opened, none looked up in a projection."""

    format: str
    v: int
    made: datetime.datetime
    by: str
    reason: str
    looked: entries.Looked
    parts: tuple[str, ...]
    view: str
    entries: int
    rule_sets: tuple[str, ...]
    files: dict[str, FileDigest]
    policies: str | None = None
    searched: dict[str, int] = {}


class PartFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A part of an entry: `text`, byte for byte what its digest is of, and the salt; or the digest of an erased one."""

    text: msgspec.Raw = msgspec.Raw()
    salt: bytes | None = None
    erased: bytes | None = None


class SideFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """A side of an entry; without `subjects`, the one part that it was in entries of version 1."""

    general: PartFile
    subjects: tuple[PartFile, ...] | None = None


class EntryFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """`entries/<shard>-<index>.json`; `oversight` is absent where it is left out."""

    origin: str
    index: int
    told: SideFile
    oversight: SideFile | None = None


def side_file(side: Side) -> SideFile:
    """A side of an entry as it is written."""
    subjects = None if side.subjects is None else tuple(map(_part_file, side.subjects))
    return SideFile(_part_file(side.general), subjects)


def _part_file(part: Part | bytes) -> PartFile:
    return PartFile(msgspec.Raw(part.body), part.salt) if isinstance(part, Part) else PartFile(erased=part)


class Sink(Protocol):
    """Where a package's files go."""

    def write(self, path: str, content: bytes) -> None: ...


def entry_name(shard: str, index: int) -> str:
    """An entry's files' name, without their ending; sorts as the entries do."""
    return f"entries/{shard}-{index:012}"


def write_package(
    sink: Sink,
    view: entries.View,
    view_at: tuple[str, int],
    chosen: Iterable[Chosen],
    policies: tuple[str, Mapping[str, bytes]] | None,
    signer: Signer,
    registry: bytes | None = None,
    searched: Mapping[str, int] | None = None,
    titles: Titles = NONE,
) -> Manifest:
    """Write a package of the chosen entries; the `view`'s own entry, at (shard, index), must be among them.

    `signer` is of that shard. `policies` are the digest of the rule set at hand, and its files; they are left out
    where no entry is of it. `registry` is the ledger's, as its document, where it has one.
    `searched` is for the manifest, `titles` for the page: what the ids in it are called.
    """
    files: dict[str, FileDigest] = {}
    with_oversight = "oversight" in view.parts

    def write(path: str, content: bytes) -> None:
        files[path] = FileDigest(len(content), hashlib.sha256(content).hexdigest())
        sink.write(path, content)

    count, heads, rule_sets, pages = 0, {}, set(), summary.Pages(view, titles)
    for each in chosen:
        count += 1
        heads[each.head.name] = each.head
        if each.told.rule_set:
            rule_sets.add(each.told.rule_set)
        pages.add(each, _write_entry(write, each, with_oversight), with_oversight=with_oversight)
    _write_heads(write, heads)
    if registry is not None:
        write(REGISTRY, registry)
    included = None
    if policies is not None and policies[0] in rule_sets:
        included = policies[0]
        for path, content in policies[1].items():
            write(f"policies/{path}", content)
    manifest = Manifest(
        FORMAT,
        VERSION,
        view.at,
        view.by,
        view.reason,
        view.looked,
        view.parts,
        entry_name(*view_at),
        count,
        tuple(sorted(rule_sets)),
        files,
        included,
        dict(searched or {}),
    )
    keys = [str(head.verifier) for head in heads.values()]
    write("summary.html", pages.finish(manifest.rule_sets, included, keys, manifest.searched))
    content = msgspec.json.format(msgspec.json.encode(manifest), indent=2)
    sink.write(MANIFEST, content)
    sink.write(NOTE, signer.sign(note_text(content)).encode())
    return manifest


def _write_entry(write: Callable[[str, bytes], None], chosen: Chosen, with_oversight: bool) -> str:
    """Write an entry and its receipt; gives the name of both."""
    entry = chosen.entry
    assert entry.told is not None, "erased entries are not chosen"
    assert entry.oversight is not None, "erased entries are not chosen"
    name = entry_name(chosen.head.name, entry.index)
    write(f"{name}.txt", chosen.receipt.encode())
    oversight = side_file(entry.oversight) if with_oversight else None
    made = EntryFile(chosen.head.origin, entry.index, side_file(entry.told), oversight)
    write(f"{name}.json", msgspec.json.encode(made))
    return name


def _write_heads(write: Callable[[str, bytes], None], heads: Mapping[str, Head]) -> None:
    """Write each shard's checkpoint, and the public keys of all."""
    for shard, head in heads.items():
        write(f"checkpoints/{shard}.txt", head.checkpoint.encode())
    write("ledger.pub", "".join(f"{head.verifier}\n" for head in heads.values()).encode())


def note_text(manifest: bytes) -> str:
    """What is signed of a manifest. No checkpoint reads like this: its second line would be a number."""
    return f"{FORMAT}/v1\n{hashlib.sha256(manifest).hexdigest()}\n"


class _FolderSink:
    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, path: str, content: bytes) -> None:
        target = self._path / path
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_private(target, content)


class _ZipSink:
    def __init__(self, file: zipfile.ZipFile) -> None:
        self._file = file

    def write(self, path: str, content: bytes) -> None:
        self._file.writestr(path, content)


@contextlib.contextmanager
def opened(out: Path) -> Iterator[Sink]:
    """A sink that becomes `out` (a folder, or a file where it ends with `.zip`) once all is written, and not before.

    Raises `ConfigurationError` where `out` exists or cannot be written. Only its owner may read it.
    """
    if out.suffix == ".zip":
        with opened_file(out) as file, zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as packed:
            yield _ZipSink(packed)
        return
    check_free(out)
    partial = out.with_name(f".{out.name}.partial")
    try:
        partial.mkdir(mode=0o700)
        yield _FolderSink(partial)
        partial.rename(out)
    except OSError as error:
        raise refuse(out, f"cannot be written ({error.strerror})") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextlib.contextmanager
def opened_file(out: Path) -> Iterator[IO[bytes]]:
    """A single file that becomes `out` once all is written; otherwise as `opened`."""
    check_free(out)
    partial = out.with_name(f".{out.name}.partial")
    try:
        with os.fdopen(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            yield file
        partial.rename(out)
    except OSError as error:
        raise refuse(out, f"cannot be written ({error.strerror})") from error
    finally:
        partial.unlink(missing_ok=True)


def check_free(out: Path) -> None:
    """Refuse a place that is taken, or whose folder is missing, before anything is looked at."""
    if out.exists():
        raise refuse(out, "exists already; evidence is never overwritten")
    if not out.parent.is_dir():
        raise refuse(out, f"cannot be written: the folder `{out.parent}` does not exist")


def write_private(path: Path, content: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(content)


def refuse(path: Path, message: str) -> ConfigurationError:
    return ConfigurationError([Problem(str(path), 0, 0, "", message)])
