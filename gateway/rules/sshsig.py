"""SSH public keys of officers, and their signatures over what they approve: `connectors.kit.sshsig`, for rule sets.

A signature is for one namespace, ours. It names its own key, which counts only where it is an officer's.
"""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from connectors.kit import sshsig
from connectors.kit.sshsig import KIND, MOST, Signed, public_key
from gateway.errors import VerificationFailed

NAMESPACE = "dutybound-rules"

__all__ = ["KIND", "MOST", "NAMESPACE", "Signed", "public_key", "read", "sign", "verify"]


def read(armored: str) -> Signed:
    """Take a signature apart; raises `VerificationFailed` with what is wrong with it."""
    try:
        return sshsig.read(armored, NAMESPACE)
    except sshsig.WrongSignatureError as error:
        raise VerificationFailed(str(error)) from None


def verify(armored: str, message: bytes, key: str) -> None:
    """Raises `VerificationFailed` unless `key` (as `public_key` gives it) signed the message."""
    if read(armored).key != key:
        raise VerificationFailed("the SSH signature is by another key than the officer's")
    try:
        sshsig.verify(armored, message, key, NAMESPACE)
    except sshsig.WrongSignatureError as error:
        raise VerificationFailed(str(error)) from None


def sign(private: Ed25519PrivateKey, message: bytes) -> str:
    """The armored signature of a message, as `ssh-keygen -Y sign -n dutybound-rules` makes it."""
    return sshsig.sign(private, message, NAMESPACE)
